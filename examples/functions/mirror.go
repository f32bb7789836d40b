// A program for wasm-workers-server in Go, with nothing but the standard library: answers with the
// body that it was sent, byte for byte, and with the type that it came as.
package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
)

type request struct {
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
	Base64  bool              `json:"base64"` // the body is no text, and comes in base64
	Params  map[string]string `json:"params"`
}

type answer struct {
	Data    string              `json:"data"`
	Base64  bool                `json:"base64"`
	Headers map[string][]string `json:"headers"`
	Status  int                 `json:"status"`
}

func body(r request) ([]byte, error) {
	if !r.Base64 {
		return []byte(r.Body), nil
	}
	return base64.StdEncoding.DecodeString(r.Body)
}

func run() error {
	var r request
	if err := json.NewDecoder(os.Stdin).Decode(&r); err != nil {
		return fmt.Errorf("stdin is no request: %w", err)
	}
	bytes, err := body(r)
	if err != nil {
		return fmt.Errorf("the body is no base64: %w", err)
	}
	kind := r.Headers["content-type"]
	if kind == "" {
		kind = "application/octet-stream"
	}
	return json.NewEncoder(os.Stdout).Encode(answer{
		Data:    base64.StdEncoding.EncodeToString(bytes),
		Base64:  true,
		Headers: map[string][]string{"content-type": {kind}, "x-method": {r.Method}},
		Status:  200,
	})
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
