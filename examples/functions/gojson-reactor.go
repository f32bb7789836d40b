// The article's gojson as a reactor: Go starts once, when the function is deployed, and each request
// begins in a fresh copy of the memory that this start and one warm-up call have left.
package main

import (
	"encoding/json"
	"io"
	"os"
)

type input struct {
	Name string `json:"name"`
	Age  int    `json:"age"`
}

type output struct {
	Name        string `json:"name"`
	Age         int    `json:"age"`
	Description string `json:"description"`
}

//go:wasmexport handle
func handle() {
	var in input
	data, _ := io.ReadAll(os.Stdin)
	json.Unmarshal(data, &in)
	b, _ := json.Marshal(output{in.Name, in.Age, "This is a description"})
	os.Stdout.Write(b)
}

// Never called, but Go wants one.
func main() {}
