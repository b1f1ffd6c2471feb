// Package npm has files of npm packages for tests. They are fetched from the npm registry
// on first use and cached; fetch.sh checks what it gets. It needs bash, and npm and node
// for that first use.
package npm

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/trace2x/trace2x/e2e/cache"
)

// The script is embedded, not looked up beside the source, so that the package also works
// with -trimpath and in a test binary that was moved.
//
//go:embed fetch.sh
var fetchScript string

const (
	timeout     = 5 * time.Minute
	exitTimeout = 3 * time.Second
)

// Files are files of an npm package.
type Files struct {
	Package string // its name and version: NAME@VERSION
	Folder  string // the name of their folder in the cache
	From    string // their folder in the package
	// Sums are the names of the files after their SHA-256, a line for each as sha256sum
	// prints it. They are recorded here so that a changed package is refused.
	Sums string
}

// Fetch returns the path of the folder with the files.
func (f Files) Fetch() (string, error) {
	parent, err := cache.Folder()
	if err != nil {
		return "", err
	}
	folder := filepath.Join(parent, f.Folder)
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", fetchScript, "fetch.sh", f.Package, folder, f.From, f.Sums)
	cmd.WaitDelay = exitTimeout // npm's own children may outlive bash
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("fetch %s: %w\n%s", f.Package, errors.Join(ctx.Err(), err), out)
	}
	return folder, nil
}
