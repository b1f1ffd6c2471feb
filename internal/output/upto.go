package output

import "io"

// UpTo returns a writer that writes at most so many bytes to w and drops what follows. It
// says that it wrote everything.
func UpTo(w io.Writer, bytes int64) io.Writer { return &upTo{w, bytes} }

type upTo struct {
	w    io.Writer
	left int64
}

func (u *upTo) Write(p []byte) (int, error) {
	q := p[:min(int64(len(p)), u.left)]
	u.left -= int64(len(q))
	if len(q) > 0 {
		if n, err := u.w.Write(q); err != nil {
			return n, err
		}
	}
	return len(p), nil
}
