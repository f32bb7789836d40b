// The sum of the numbers in the body of a POST: `[1, 2, 3.5]`, or `{"numbers": [...]}`.
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

type output struct {
	Count int     `json:"count"`
	Sum   float64 `json:"sum"`
}

// numbers reads DATA, which is the body itself when that is no object.
func numbers(data []byte) ([]float64, error) {
	var list []float64
	if err := json.Unmarshal(data, &list); err == nil {
		return list, nil
	}
	var object struct {
		Numbers []float64 `json:"numbers"`
	}
	if err := json.Unmarshal(data, &object); err != nil {
		return nil, fmt.Errorf("DATA is no list of numbers: %w", err)
	}
	return object.Numbers, nil
}

func main() {
	list, err := numbers([]byte(os.Getenv("DATA")))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	result := output{Count: len(list)}
	for _, number := range list {
		result.Sum += number
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
