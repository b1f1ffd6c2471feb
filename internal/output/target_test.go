package output

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

func write(t *testing.T, name, data string, mode fs.FileMode) fs.FileInfo {
	t.Helper()
	if err := os.WriteFile(name, []byte(data), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, mode); err != nil {
		t.Fatal(err)
	}
	return stat(t, name)
}

func stat(t *testing.T, name string) fs.FileInfo {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// make writes an output.
func (target Target) make(t *testing.T, data string) error {
	t.Helper()
	o, err := Create(target)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(o, data); err != nil {
		return err
	}
	return o.Commit()
}

// An output that is the source is refused, whatever its name, and nothing happens
// to it.
func TestSource(t *testing.T) {
	t.Chdir(t.TempDir())
	source := write(t, "in", old, 0o600)
	before := source.ModTime()
	if err := errors.Join(os.Mkdir("dir", 0o777), os.Symlink("in", "link"), os.Symlink("link", "link2"), os.Link("in", "hard"), os.Symlink(".", "here")); err != nil {
		t.Skip(err)
	}
	absolute, err := filepath.Abs("in")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"in", "./in", "dir/../in", "link", "link2", "hard", "here/here/in", absolute} {
		for _, force := range []bool{false, true} {
			target := Target{Name: name, Kind: Spans, Source: source, Force: force}
			var usage *UsageError
			if err := target.Check(); !errors.As(err, &usage) {
				t.Errorf("%s: %v", name, err)
			}
			if err := target.make(t, text); !errors.As(err, &usage) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	wantFile(t, "in", old)
	if !stat(t, "in").ModTime().Equal(before) {
		t.Error("it was opened for writing")
	}
	wantList(t, "after that", "dir", "hard", "here", "in", "link", "link2")

	// Standard output that the shell has made of it.
	f, err := os.OpenFile("in", os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var usage *UsageError
	target := Target{Name: "-", Stdout: f, Kind: Spans, Source: source}
	if err := target.Check(); !errors.As(err, &usage) {
		t.Error(err)
	}
	if err := SameError(f, source); !errors.As(err, &usage) {
		t.Error(err)
	}
}

// A bind mount makes a path without any link to it.
func TestSourceMounted(t *testing.T) {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("only root may mount, on Linux")
	}
	t.Chdir(t.TempDir())
	source := write(t, "in", old, 0o600)
	write(t, "mounted", "", 0o600)
	if err := exec.Command("mount", "--bind", "in", "mounted").Run(); err != nil {
		t.Skip("mount: ", err)
	}
	defer exec.Command("umount", "mounted").Run()
	var usage *UsageError
	if err := (&Target{Name: "mounted", Kind: Spans, Source: source}).Check(); !errors.As(err, &usage) {
		t.Error(err)
	}
}

func perfettoPacket() string {
	packet := protowire.AppendVarint(protowire.AppendTag(nil, 8, protowire.VarintType), 12345)
	packet = protowire.AppendBytes(protowire.AppendTag(packet, 11, protowire.BytesType), bytes.Repeat([]byte("event"), 10_000))
	return string(protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), packet))
}

func profile() string {
	sampleType := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 1)
	sampleType = protowire.AppendVarint(protowire.AppendTag(sampleType, 2, protowire.VarintType), 2)
	return string(protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), sampleType))
}

// Only what is like the output is overwritten.
func TestOverwrite(t *testing.T) {
	t.Chdir(t.TempDir())
	there := map[string]string{
		"empty": "", "perfetto": perfettoPacket(), "profile": profile(), "spans": old, "page": ".TH TRACE2X 1\n",
		"trace": "go 1.26 trace\x00\x00\x00\x01\x02\x03", "text": "\nhello, this is a diary\n", "json": `{"traceEvents":[]}`, "binary": "\x0a\x02\x18\x00\x0a\x99",
	}
	for name, data := range there {
		if name == "profile" || name == "perfetto" {
			write(t, name+".gz", data, 0o600)
			o, err := Create(Target{Name: name + ".gz", Kind: Spans, Force: true})
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(o, data)
			if err := o.Commit(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, test := range []struct {
		kind *Kind
		like string
	}{{Perfetto, "perfetto"}, {Profile, "profile"}, {Spans, "spans"}, {Page, "page"}, {Recording, ""}} {
		for name, data := range there {
			write(t, name, data, 0o666)
			err := Target{Name: name, Kind: test.kind}.make(t, "new")
			if may := name == "empty" || name == test.like; may != (err == nil) {
				t.Errorf("%s over %s: %v", test.kind.Name, name, err)
			} else if may {
				wantFile(t, name, "new")
			} else {
				wantFile(t, name, data)
			}
			write(t, name, data, 0o666)
			if err := (Target{Name: name, Kind: test.kind, Keep: true}).make(t, "new"); err == nil || !strings.Contains(err.Error(), "--force") {
				t.Errorf("a recording over %s: %v", name, err)
			}
			wantFile(t, name, data)
			if err := (Target{Name: name, Kind: test.kind, Keep: true, Force: true}).make(t, "new"); err != nil {
				t.Errorf("with --force, %s over %s: %v", test.kind.Name, name, err)
			}
			wantFile(t, name, "new")
		}
	}
	for name, kind := range map[string]*Kind{"perfetto.gz": Perfetto, "profile.gz": Profile} {
		if err := (&Target{Name: name, Kind: kind}).Check(); err != nil {
			t.Error(err)
		}
	}
}

// What is recorded is kept, also beside a file that appears meanwhile.
func TestKeep(t *testing.T) {
	t.Chdir(t.TempDir())
	var last *Output
	for _, name := range []string{"x.trace", "x.trace"} {
		o, err := Create(Target{Name: name, Kind: Recording, Keep: true})
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(o, "mine")
		write(t, "x.trace", "theirs", 0o666)
		if err := o.Commit(); err != nil {
			t.Fatal(err)
		}
		last = o
		os.Remove("x.trace")
	}
	if last.Name() != "x-3.trace" {
		t.Errorf("the second one is called %s", last.Name())
	}
	wantFile(t, "x-2.trace", "mine")
	wantFile(t, "x-3.trace", "mine")
	wantList(t, "after that", "x-2.trace", "x-3.trace")
}

func TestNumbered(t *testing.T) {
	for name, want := range map[string]string{
		"a/b.trace": "a/b-2.trace", "b.pftrace.gz": "b-2.pftrace.gz", "x.y/b": "x.y/b-2", "1.2.trace": "1.2-2.trace", ".hidden": ".hidden-2",
		"localhost-6060-20261126-130507.trace": "localhost-6060-20261126-130507-2.trace", "127.0.0.1-6060.pftrace": "127.0.0.1-6060-2.pftrace",
	} {
		if got := Numbered(name, 2); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// An output is as private as its source, or as what was there.
func TestModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such permissions")
	}
	t.Chdir(t.TempDir())
	write(t, "all", "", 0o666)
	f, err := os.OpenFile("usual", os.O_CREATE, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	usual := stat(t, "usual").Mode().Perm() // less what the umask takes away
	for _, test := range []struct{ source, there, want fs.FileMode }{
		{0o600, 0, 0o600},
		{0o400, 0, 0o600},
		{0o666, 0, usual},
		{0o777, 0, usual},
		{0o640, 0, 0o640 & (usual | 0o600)},
		{0o644, 0o600, 0o600},
		{0o600, 0o644, 0o644},
		{0, 0, usual}, // not a file
	} {
		os.Remove("out")
		target := Target{Name: "out", Kind: Spans}
		if test.source != 0 {
			os.Remove("in")
			target.Source = write(t, "in", "x", test.source)
		}
		if test.there != 0 {
			write(t, "out", old, test.there)
		}
		o, err := Create(target)
		if err != nil {
			t.Fatal(err)
		}
		if got := stat(t, o.temp).Mode().Perm(); got != 0o600 {
			t.Errorf("source %o: meanwhile %o", test.source, got)
		}
		if err := o.Commit(); err != nil {
			t.Fatal(err)
		}
		if got := stat(t, "out").Mode().Perm(); got != test.want {
			t.Errorf("source %o, there %o: %o, want %o", test.source, test.there, got, test.want)
		}
	}

	write(t, "out", old, 0o444)
	if err := (Target{Name: "out", Kind: Spans, Force: true}).make(t, text); err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("a read-only file: %v", err)
	}
	wantFile(t, "out", old)
}

// Symbolic links stay, and what they lead to is written.
func TestSymbolicLinks(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := errors.Join(os.MkdirAll("a/b", 0o777), os.Symlink("a/b", "dir"), os.Symlink("dir/../file", "link"), os.Symlink("../link", "a/link"), os.Symlink("loop", "loop")); err != nil {
		t.Skip(err)
	}
	for range 2 { // once to nothing, once to a file
		if err := (Target{Name: "a/link", Kind: Spans}).make(t, text); err != nil {
			t.Fatal(err)
		}
		wantFile(t, "a/file", text) // dir/.. is a
		for _, link := range []string{"link", "a/link"} {
			if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
				t.Errorf("%s is not a link any more", link)
			}
		}
	}
	if err := (&Target{Name: "loop", Kind: Spans}).Check(); err == nil {
		t.Error("a loop of links")
	}
}

// What a killed program left behind goes, what a living one is writing does not.
func TestLeftovers(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs locks")
	}
	t.Chdir(t.TempDir())
	live := create(t, "live", nil)
	write(t, "dead.ABCDEFGH.trace2x.tmp", "x", 0o600)
	write(t, "mine.tmp", "x", 0o600)
	write(t, "my.trace2x.tmp", "x", 0o600)
	if err := create(t, "x", nil).Commit(); err != nil {
		t.Fatal(err)
	}
	if err := live.Commit(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"live", "mine.tmp", "my.trace2x.tmp", "x"} {
		stat(t, name)
	}
	wantList(t, "after that", "live", "tmp", "tmp", "x")
}

func TestTempFolder(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs locks")
	}
	t.Setenv("TMPDIR", t.TempDir())
	live, err := TempFolder()
	if err != nil {
		t.Fatal(err)
	}
	if mode := stat(t, live.Path).Mode().Perm(); mode != 0o700 {
		t.Errorf("mode %o", mode)
	}
	dead := filepath.Join(os.TempDir(), folderPrefix+"1")
	if err := os.Mkdir(dead, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dead, folderLock), "", 0o600)
	write(t, filepath.Join(dead, "x.pftrace"), "x", 0o600)
	old := stat(t, dead).ModTime().Add(-2 * 60 * 1e9)
	for _, path := range []string{dead, live.Path} {
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	other, err := TempFolder()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dead); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was left behind: %v", err)
	}
	stat(t, live.Path)
	live.Remove()
	other.Remove()
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// A named pipe is written to as it is.
func TestNamedPipe(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := exec.Command("mkfifo", "pipe").Run(); err != nil {
		t.Skip(err)
	}
	got := make(chan string)
	go func() {
		data, _ := os.ReadFile("pipe")
		got <- string(data)
	}()
	if err := (Target{Name: "pipe", Kind: Perfetto, Keep: true}).make(t, "data"); err != nil {
		t.Fatal(err)
	}
	if data := <-got; data != "data" {
		t.Errorf("%q", data)
	}
	wantList(t, "after that", "pipe")
}

func FuzzKinds(f *testing.F) {
	f.Add([]byte(perfettoPacket()[:100]))
	f.Add([]byte(profile()))
	f.Add([]byte(old))
	f.Fuzz(func(t *testing.T, head []byte) {
		n := 0
		for _, k := range []*Kind{Perfetto, Profile, Spans, Page} {
			if k.like(head) {
				n++
			}
		}
		if n > 1 {
			t.Errorf("%q is of %d kinds", head, n)
		}
	})
}

// What a terminal cannot show does not go there.
func TestTerminal(t *testing.T) {
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no terminals: ", err)
	}
	defer terminal.Close()
	for _, kind := range []*Kind{Recording, Perfetto, Profile, Spans} {
		for _, target := range []Target{
			{Name: "-", Stdout: terminal, Kind: kind},
			{Name: "/dev/ptmx", Kind: kind},
		} {
			o, err := Create(target)
			var usage *UsageError
			if kind.Binary != errors.As(err, &usage) {
				t.Errorf("%s to %s: %v", kind.Name, target.Name, err)
			}
			if err == nil {
				o.Discard()
			}
		}
	}
}
