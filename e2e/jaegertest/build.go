package jaegertest

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/trace2x/trace2x/e2e/cache"
)

const (
	module = "github.com/trace2x/trace2x"

	// Of Jaeger's module, as in ../jaeger/go.mod. The program calls itself v2.13.0.
	jaegerModule = "github.com/jaegertracing/jaeger"
	version      = "1.76.0"

	buildTimeout = 30 * time.Minute
)

// program returns the path of the program, after building it if the cache
// does not have it. The build is shared by all callers, so when ctx is done it
// goes on for the others, and for the cache, as long as this process runs.
func program(ctx context.Context) (string, error) {
	file, err := cached()
	if err != nil || isJaeger(file) {
		return file, err
	}
	built := make(chan error, 1)
	go func() { built <- build() }()
	select {
	case err := <-built:
		return file, err
	case <-ctx.Done():
		return "", fmt.Errorf("while %s was being built: %w", file, context.Cause(ctx))
	}
}

// cached returns where the program is or will be.
func cached() (string, error) {
	folder, err := cache.Folder()
	if err != nil {
		return "", err
	}
	return filepath.Join(folder, "jaeger-"+version, "jaeger"), nil
}

// isJaeger reports whether the file is Jaeger, of the right version.
func isJaeger(file string) bool {
	info, err := buildinfo.ReadFile(file)
	return err == nil && info.Path == jaegerModule+"/cmd/jaeger" &&
		info.Main.Path == jaegerModule && info.Main.Version == "v"+version
}

// build runs ../jaeger/build.sh. It looks for the script through the module
// because it cannot be embedded, being part of another module, and because the
// source's path may be missing (-trimpath) from the test binary. So whatever
// needs a build must run in a folder of the module, as go test has it.
var build = sync.OnceValue(func() error {
	program, err := cached()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
	defer cancel()
	root, err := output(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module)
	if err != nil {
		return fmt.Errorf("find the folder of %s: %w", module, err)
	}
	if _, err := output(ctx, "bash", filepath.Join(root, "e2e", "jaeger", "build.sh"), program); err != nil {
		return fmt.Errorf("build Jaeger: %w", err)
	}
	if !isJaeger(program) {
		return fmt.Errorf("build Jaeger: %s is not v%s", program, version)
	}
	return nil
})

// output runs a command and returns what it prints on one line.
func output(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = pipeDelay // a script's own children may outlive it
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	if err != nil {
		err = errors.Join(ctx.Err(), err)
		if text := bytes.TrimSpace(stderr.Bytes()); len(text) > 0 {
			err = fmt.Errorf("%w; stderr:\n%s", err, text)
		}
		return "", err
	}
	return strings.TrimSuffix(string(stdout), "\n"), nil
}
