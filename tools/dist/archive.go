package main

import (
	"archive/tar"
	"archive/zip"
	"cmp"
	"compress/gzip"
	"io"
	"slices"
	"time"
)

// file is one of an archive.
type file struct {
	name       string // with slashes
	data       []byte
	executable bool
}

func (f file) mode() int64 {
	if f.executable {
		return 0o755
	}
	return 0o644
}

func sorted(files []file) []file {
	return slices.SortedFunc(slices.Values(files), func(a, b file) int { return cmp.Compare(a.name, b.name) })
}

// writeTar writes the files, in a folder, as a compressed tar archive. It depends
// on nothing but its arguments.
func writeTar(w io.Writer, folder string, files []file, t time.Time) error {
	zw, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	tw := tar.NewWriter(zw)
	for _, f := range sorted(files) {
		err := tw.WriteHeader(&tar.Header{
			Typeflag: tar.TypeReg, Name: folder + "/" + f.name, Size: int64(len(f.data)), Mode: f.mode(),
			Uname: "root", Gname: "root", ModTime: t, Format: tar.FormatUSTAR,
		})
		if err != nil {
			return err
		}
		if _, err := tw.Write(f.data); err != nil {
			return err
		}
	}
	if err := tw.Close(); err != nil {
		return err
	}
	return zw.Close()
}

// writeZip writes them as a zip archive.
func writeZip(w io.Writer, folder string, files []file, t time.Time) error {
	zw := zip.NewWriter(w)
	for _, f := range sorted(files) {
		h := &zip.FileHeader{Name: folder + "/" + f.name, Method: zip.Deflate, Modified: t.UTC()}
		h.ExternalAttrs = uint32(0o100000|f.mode()) << 16 // what Unix unpacks
		h.CreatorVersion = 3 << 8                         // for which it has to be from Unix
		fw, err := zw.CreateHeader(h)
		if err != nil {
			return err
		}
		if _, err := fw.Write(f.data); err != nil {
			return err
		}
	}
	return zw.Close()
}
