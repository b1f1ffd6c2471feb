package otel

import (
	"fmt"
	"strings"

	"github.com/trace2x/trace2x/model"
)

// maxAttribute is the size of a value at which Tempo cuts it.
const maxAttribute = 2048

// stackText returns a stack as the runtime prints it. If it is too long, the text has
// the innermost and the outermost calls, and how many are left out between them.
func stackText(s *model.Stack) string {
	frames := make([]string, len(s.Frames))
	size := 0
	for i, f := range s.Frames {
		frames[i] = fmt.Sprintf("%s\n\t%s:%d\n", f.Func, f.File, f.Line)
		size += len(frames[i])
	}
	if size <= maxAttribute {
		return strings.Join(frames, "")
	}
	const note = "...%d frames left out...\n"
	room := maxAttribute - len(note) - 10 // of the number
	inner, outer := 0, len(frames)
	fromInside, fromOutside := 0, 0 // bytes
	for inner < outer {
		if fromInside <= fromOutside {
			if fromInside += len(frames[inner]); fromInside+fromOutside > room {
				break
			}
			inner++
		} else {
			if fromOutside += len(frames[outer-1]); fromInside+fromOutside > room {
				break
			}
			outer--
		}
	}
	return strings.Join(frames[:inner], "") + fmt.Sprintf(note, outer-inner) + strings.Join(frames[outer:], "")
}
