package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// "make dist" sets these with -ldflags -X. Other builds find them in the repository.
var buildVersion, buildCommit string

func newVersion(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Tell the version, and what it was built from",
		Long:  `version tells the version, the commit, the version of Go, and the platform.`,
		Example: `  # for a bug report
  trace2x version`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			e.ran = true
			_, err := fmt.Fprintln(e.stdout, versionLine())
			return err
		},
	}
}

// version returns the version of the module that the program was built from.
func version() string {
	if buildVersion != "" {
		return buildVersion
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// commit returns the commit that the program was built from, "" if it is not known.
func commit() string {
	if buildCommit != "" {
		return buildCommit
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	revision, changed := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = " with changes"
		}
	}
	if revision == "" {
		return ""
	}
	return revision + changed
}

func versionLine() string {
	line := "trace2x " + version()
	if c := commit(); c != "" {
		line += ", commit " + c
	}
	return fmt.Sprintf("%s, %s, %s/%s", line, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
