// A FaaS server on net/http and wazero, with each module compiled once: GET /NAME runs NAME.wasm in
// a fresh instance, with DATA and the http_* variables in its environment, and answers what it
// prints.
//
//	wazero_server FOLDER
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"sync"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"
)

var functionName = regexp.MustCompile(`^/([A-Za-z0-9_-]+)$`)

type server struct {
	folder  string
	runtime wazero.Runtime

	mutex   sync.RWMutex
	modules map[string]wazero.CompiledModule
}

// module compiles a function at its first request and keeps it.
func (s *server) module(ctx context.Context, name string) (wazero.CompiledModule, error) {
	s.mutex.RLock()
	module, ok := s.modules[name]
	s.mutex.RUnlock()
	if ok {
		return module, nil
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if module, ok := s.modules[name]; ok {
		return module, nil
	}
	wasm, err := os.ReadFile(filepath.Join(s.folder, name+".wasm"))
	if err != nil {
		return nil, err
	}
	module, err = s.runtime.CompileModule(ctx, wasm)
	if err != nil {
		return nil, err
	}
	s.modules[name] = module
	return module, nil
}

// data is the input of the function: the article's values, and over them what the query says.
func data(r *http.Request) (string, error) {
	input := map[string]any{"name": "zztkm", "age": 20}
	for key, values := range r.URL.Query() {
		input[key] = values[0]
	}
	text, err := json.Marshal(input)
	return string(text), err
}

func (s *server) run(r *http.Request, module wazero.CompiledModule) ([]byte, error) {
	input, err := data(r)
	if err != nil {
		return nil, err
	}
	var stdout bytes.Buffer
	config := wazero.NewModuleConfig().
		WithName("").
		WithStdout(&stdout).
		WithStderr(os.Stderr).
		WithSysNanosleep().
		WithEnv("DATA", input).
		WithEnv("http_path", r.URL.Path).
		WithEnv("http_method", r.Method).
		WithEnv("http_host", r.Host).
		WithEnv("http_query", r.URL.RawQuery).
		WithEnv("http_remote_addr", r.RemoteAddr)
	instance, err := s.runtime.InstantiateModule(r.Context(), module, config)
	var exit *sys.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 0 {
		err = nil
	}
	if err != nil {
		return nil, err
	}
	if instance != nil {
		if err := instance.Close(r.Context()); err != nil {
			return nil, err
		}
	}
	return stdout.Bytes(), nil
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := functionName.FindStringSubmatch(r.URL.Path)
	if name == nil {
		http.NotFound(w, r)
		return
	}
	module, err := s.module(context.Background(), name[1])
	if errors.Is(err, os.ErrNotExist) {
		http.NotFound(w, r)
		return
	}
	var output []byte
	if err == nil {
		output, err = s.run(r, module)
	}
	if err != nil {
		log.Printf("%s: %v", r.URL.Path, err)
		http.Error(w, "the function failed", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(output)
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: wazero_server FOLDER")
	}
	ctx := context.Background()
	runtime := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler())
	wasi_snapshot_preview1.MustInstantiate(ctx, runtime)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on http://%s\n", listener.Addr())
	log.Fatal(http.Serve(listener, &server{
		folder:  os.Args[1],
		runtime: runtime,
		modules: map[string]wazero.CompiledModule{},
	}))
}
