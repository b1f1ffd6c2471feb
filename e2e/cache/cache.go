// Package cache says where tests keep what they fetch or build once.
package cache

import (
	"errors"
	"os"
	"path/filepath"
)

// Folder returns the folder: $TRACE2X_CACHE, by default ~/.cache/trace2x. It may not exist
// yet.
func Folder() (string, error) {
	if folder := os.Getenv("TRACE2X_CACHE"); folder != "" {
		return filepath.Abs(folder)
	}
	parent := os.Getenv("XDG_CACHE_HOME")
	if parent == "" {
		home := os.Getenv("HOME")
		if home == "" {
			return "", errors.New("neither TRACE2X_CACHE, XDG_CACHE_HOME nor HOME is set")
		}
		parent = filepath.Join(home, ".cache")
	}
	return filepath.Abs(filepath.Join(parent, "trace2x"))
}
