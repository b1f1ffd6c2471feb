// Command dist builds what is released: for each platform an archive of the
// program, its manual pages and its shell completions, and the SHA-256 sums of
// the archives. The same source, version and Go make the same bytes, on any
// machine and in any folder.
//
//	go run -C tools ./dist [-version v1.2.3] [-check] [linux/amd64 ...]
//
// The archives go into the folder dist of the repository, which is emptied first.
// Without -version, git tells the version. Times in the archives are
// $SOURCE_DATE_EPOCH, else the time of the commit. With -check the command builds
// everything a second time, from a copy of the source and with an empty Go cache, and
// compares.
package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

var platforms = []string{"darwin/amd64", "darwin/arm64", "linux/amd64", "linux/arm64", "windows/amd64", "windows/arm64"}

func main() {
	version := flag.String("version", "", "the version, by default that of git")
	check := flag.Bool("check", false, "build twice and compare")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *version, *check, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "dist:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, version string, check bool, targets []string) error {
	// The go command runs it in the folder of its module, which is in that of
	// the program's.
	tools, err := os.Getwd()
	if err != nil {
		return err
	}
	r := release{root: filepath.Dir(tools), version: version}
	if err := r.identify(ctx); err != nil {
		return err
	}
	if len(targets) == 0 {
		targets = platforms
	}
	out := filepath.Join(r.root, "dist")
	if err := os.RemoveAll(out); err != nil {
		return err
	}
	sums, err := r.build(ctx, targets, out)
	if err != nil {
		return err
	}
	fmt.Print(sums)
	if check {
		return r.check(ctx, targets, sums)
	}
	return nil
}

// release is what is built.
type release struct {
	root    string // of the source
	version string
	commit  string // "" if there is no git
	time    time.Time
	env     []string // besides the process's, for the go command
	pgo     string   // "off" to compile without the profile, which a test does; "" with it
}

// identify asks git for the version, if it is not known, the commit and its time.
func (r *release) identify(ctx context.Context) error {
	git := func(args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, "git", args...)
		cmd.Dir = r.root
		out, err := cmd.Output()
		return strings.TrimSpace(string(out)), err
	}
	seconds := int64(0)
	if commit, err := git("rev-parse", "HEAD"); err == nil {
		text, err := git("log", "-1", "--format=%ct")
		if err != nil {
			return err
		}
		if seconds, err = strconv.ParseInt(text, 10, 64); err != nil {
			return err
		}
		changes, err := git("status", "--porcelain")
		if err != nil {
			return err
		}
		tag, tagErr := git("describe", "--tags", "--match", "v[0-9]*")
		if tagErr != nil {
			// As the go command calls what has no tag.
			tag = fmt.Sprintf("v0.0.0-%s-%s", time.Unix(seconds, 0).UTC().Format("20060102150405"), commit[:12])
		}
		r.commit = commit
		if changes != "" {
			tag, r.commit = tag+"+dirty", commit+" with changes"
		}
		r.version = cmp.Or(r.version, tag)
	}
	if text := os.Getenv("SOURCE_DATE_EPOCH"); text != "" {
		var err error
		if seconds, err = strconv.ParseInt(text, 10, 64); err != nil {
			return fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
		}
	}
	if r.version == "" {
		return errors.New("there is no git to tell the version: give -version")
	}
	if strings.ContainsAny(r.version, "/\\ '\"") {
		return fmt.Errorf("the version %q is not fit for file names", r.version)
	}
	r.time = time.Unix(seconds, 0).UTC()
	return nil
}

// build makes the archives of the targets in a folder, and the file of their
// sums, which it returns.
func (r *release) build(ctx context.Context, targets []string, out string) (string, error) {
	if err := os.MkdirAll(out, 0o777); err != nil {
		return "", err
	}
	work, err := os.MkdirTemp("", "trace2x-dist-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	common, err := r.common(ctx, work)
	if err != nil {
		return "", err
	}
	var sums []string
	for _, target := range targets {
		goos, goarch, ok := strings.Cut(target, "/")
		if !ok {
			return "", fmt.Errorf("%s: a target is GOOS/GOARCH", target)
		}
		data, name, err := r.archive(ctx, goos, goarch, common, work)
		if err != nil {
			return "", fmt.Errorf("%s: %w", target, err)
		}
		if err := os.WriteFile(filepath.Join(out, name), data, 0o666); err != nil {
			return "", err
		}
		sums = append(sums, fmt.Sprintf("%x  %s\n", sha256.Sum256(data), name))
	}
	slices.SortFunc(sums, func(a, b string) int { return cmp.Compare(a[sha256.Size*2:], b[sha256.Size*2:]) })
	text := strings.Join(sums, "")
	return text, os.WriteFile(filepath.Join(out, "SHA256SUMS"), []byte(text), 0o666)
}

// common returns the files that are the same for all platforms. It builds the
// program for this machine to write them.
func (r *release) common(ctx context.Context, work string) ([]file, error) {
	var files []file
	for _, name := range []string{"LICENSE", "README.md", "CHANGELOG.md"} {
		data, err := os.ReadFile(filepath.Join(r.root, name))
		if errors.Is(err, fs.ErrNotExist) && name == "CHANGELOG.md" {
			continue
		}
		if err != nil {
			return nil, err
		}
		files = append(files, file{name: name, data: data})
	}
	program := filepath.Join(work, "host")
	if err := r.compile(ctx, runtime.GOOS, runtime.GOARCH, program); err != nil {
		return nil, err
	}
	pages := filepath.Join(work, "man")
	if err := os.Mkdir(pages, 0o777); err != nil {
		return nil, err
	}
	if _, err := output(exec.CommandContext(ctx, program, "man", pages)); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(pages)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		data, err := os.ReadFile(filepath.Join(pages, entry.Name()))
		if err != nil {
			return nil, err
		}
		files = append(files, file{name: "man/man1/" + entry.Name(), data: data})
	}
	// The names under which the shells look for them.
	for shell, name := range map[string]string{"bash": "trace2x", "zsh": "_trace2x", "fish": "trace2x.fish", "powershell": "trace2x.ps1"} {
		data, err := output(exec.CommandContext(ctx, program, "completion", shell))
		if err != nil {
			return nil, err
		}
		files = append(files, file{name: path.Join("completions", shell, name), data: data})
	}
	return files, nil
}

// archive makes the archive of a platform.
func (r *release) archive(ctx context.Context, goos, goarch string, common []file, work string) (data []byte, name string, err error) {
	program := file{name: "trace2x", executable: true}
	if goos == "windows" {
		program.name += ".exe"
	}
	binary := filepath.Join(work, goos+"-"+goarch)
	if err := r.compile(ctx, goos, goarch, binary); err != nil {
		return nil, "", err
	}
	if program.data, err = os.ReadFile(binary); err != nil {
		return nil, "", err
	}
	licenses, err := r.licenses(ctx, goos, goarch)
	if err != nil {
		return nil, "", err
	}
	files := append(slices.Clone(common), program, file{name: "THIRD_PARTY_LICENSES", data: licenses})
	folder := fmt.Sprintf("trace2x_%s_%s_%s", r.version, goos, goarch)
	var buf bytes.Buffer
	if goos == "windows" {
		err = writeZip(&buf, folder, files, r.time)
		return buf.Bytes(), folder + ".zip", err
	}
	err = writeTar(&buf, folder, files, r.time)
	return buf.Bytes(), folder + ".tar.gz", err
}

// golang is a go command for a platform. What a user may have set in the
// environment, and is not in the source, has no say.
func (r *release) golang(ctx context.Context, goos, goarch string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = r.root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+goos, "GOARCH="+goarch,
		"GOFLAGS=-mod=readonly", "GOWORK=off", "GOEXPERIMENT=", "GOFIPS140=off", "GOAMD64=v1", "GOARM64=v8.0")
	cmd.Env = append(cmd.Env, r.env...)
	return cmd
}

// compile builds the program. -buildvcs=false, because a source without its
// repository has to make the same; the flags tell the version instead.
func (r *release) compile(ctx context.Context, goos, goarch, program string) error {
	flags := "-s -w -X 'main.buildVersion=" + r.version + "' -X 'main.buildCommit=" + r.commit + "'"
	_, err := output(r.golang(ctx, goos, goarch, "build", "-trimpath", "-buildvcs=false", "-pgo="+cmp.Or(r.pgo, "auto"), "-ldflags="+flags, "-o", program, "./cmd/trace2x"))
	return err
}

// licenses returns the licenses of all that is in the program besides its own.
func (r *release) licenses(ctx context.Context, goos, goarch string) ([]byte, error) {
	list, err := output(r.golang(ctx, goos, goarch, "list", "-deps", "-json=Module", "./cmd/trace2x"))
	if err != nil {
		return nil, err
	}
	goroot, err := output(r.golang(ctx, goos, goarch, "env", "GOROOT"))
	if err != nil {
		return nil, err
	}
	folders := map[string]string{"Go": strings.TrimSpace(string(goroot))}
	for dec := json.NewDecoder(bytes.NewReader(list)); ; {
		var p struct {
			Module *struct {
				Path, Version, Dir string
				Main               bool
			}
		}
		if err := dec.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
		if m := p.Module; m != nil && !m.Main {
			folders[m.Path+" "+m.Version] = m.Dir
		}
	}
	var text bytes.Buffer
	for i, name := range slices.Sorted(maps.Keys(folders)) {
		if i > 0 {
			text.WriteString("\n")
		}
		fmt.Fprintf(&text, "%s\n%s\n", name, strings.Repeat("=", len(name)))
		entries, err := os.ReadDir(folders[name])
		if err != nil {
			return nil, err
		}
		found := false
		for _, entry := range entries {
			upper := strings.ToUpper(entry.Name())
			if entry.IsDir() || !slices.ContainsFunc([]string{"LICENSE", "LICENCE", "COPYING", "NOTICE"}, func(p string) bool { return strings.HasPrefix(upper, p) }) {
				continue
			}
			data, err := os.ReadFile(filepath.Join(folders[name], entry.Name()))
			if err != nil {
				return nil, err
			}
			found = found || !strings.HasPrefix(upper, "NOTICE")
			text.WriteString("\n")
			text.Write(bytes.TrimSpace(bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))))
			text.WriteString("\n")
		}
		if !found {
			return nil, fmt.Errorf("%s has no license in %s", name, folders[name])
		}
	}
	return text.Bytes(), nil
}

// check builds again elsewhere, and compares the sums.
func (r *release) check(ctx context.Context, targets []string, want string) error {
	work, err := os.MkdirTemp("", "trace2x-dist-check-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	again := *r
	again.root = filepath.Join(work, "a copy")
	again.env = []string{"GOCACHE=" + filepath.Join(work, "cache")}
	if err := copySource(again.root, r.root); err != nil {
		return err
	}
	got, err := again.build(ctx, targets, filepath.Join(work, "dist"))
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("a second build is not the same:\n%s", got)
	}
	fmt.Fprintln(os.Stderr, "a second build, from a copy of the source and without a cache, is the same")
	return nil
}

// copySource copies the source without its repository and what was built.
func copySource(to, from string) error {
	return filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		if rel == ".git" || rel == "bin" || rel == "dist" {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil // of a worktree, .git is a file
		}
		target := filepath.Join(to, rel)
		switch {
		case d.IsDir():
			return os.MkdirAll(target, 0o777)
		case !d.Type().IsRegular():
			return nil
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o666)
	})
}

// output runs a command and returns what it writes to stdout; its error has what
// it writes to stderr.
func output(cmd *exec.Cmd) ([]byte, error) {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args[:2], " "), err, &stderr)
	}
	return out, nil
}
