package report

import (
	"path/filepath"
	"strings"

	"github.com/trace2x/trace2x/internal/address"
)

// commonFolder returns the longest beginning of the names of files that ends in a
// separator and that all have.
func commonFolder(files []string) string {
	dir := ""
	for i, f := range files {
		f = f[:strings.LastIndexByte(f, filepath.Separator)+1]
		if i == 0 {
			dir = f
		}
		for !strings.HasPrefix(f, dir) {
			dir = dir[:strings.LastIndexByte(strings.TrimSuffix(dir, string(filepath.Separator)), filepath.Separator)+1]
		}
	}
	return dir
}

// inFile says in which of several traces something is, without the folder of all of
// them; "" if there is only one.
func inFile(dir, file string) string {
	if file == "" {
		return ""
	}
	return " in " + address.Name(strings.TrimPrefix(file, dir))
}
