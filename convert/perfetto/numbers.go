package perfetto

import "strconv"

// numbers gives processes and lanes their numbers. They share one sequence, as on Linux: a
// lane with the number of a process would be its main thread. The numbers of processes are
// chosen so that the UI, which colors what runs on a CPU by a hash of the pid, shows the
// first of them in colors that differ as much as possible.
type numbers struct {
	last  int32          // all up to this one are taken
	pids  map[int32]bool // taken, above last
	count int            // of processes
}

// colors are positions in the UI's palette, in the order in which processes get them.
var colors = [...]int{
	5,  // blue
	13, // orange
	9,  // green
	2,  // purple
	0,  // red
	8,  // teal
	11, // lime
	1,  // pink
	15, // brown
	4,  // indigo
	7,  // cyan
	17, // yellow
	3,  // deep purple
	10, // light green
	14, // deep orange
	6,  // light blue
	12, // amber
}

const (
	paletteSize = 18
	// runtimeColor, a grey blue, is for the runtime alone.
	runtimeColor = 16
)

// tid returns a number for a lane.
func (n *numbers) tid() int32 {
	n.skip()
	n.last++
	return n.last
}

// pid returns a number for a process.
func (n *numbers) pid(ofRuntime bool) int32 {
	color := runtimeColor
	if !ofRuntime {
		color = colors[n.count%len(colors)]
		n.count++
	}
	n.skip()
	id := n.last + 1
	for n.pids[id] || paletteIndex(id) != color {
		id++
	}
	if n.pids == nil {
		n.pids = make(map[int32]bool)
	}
	n.pids[id] = true
	return id
}

// skip passes the numbers that processes have taken, and number 1, which the UI shows in
// grey.
func (n *numbers) skip() {
	n.last = max(n.last, 1)
	for n.pids[n.last+1] {
		n.last++
		delete(n.pids, n.last)
	}
}

// paletteIndex returns the position in the palette of the UI (MD_PALETTE in
// ui/src/components/colorizer.ts) that it takes for a process. It is a hash of the
// decimal digits (ui/src/base/hash.ts), FNV in numbers of JavaScript: it multiplies
// float64s, and keeps the low 32 bits of the product.
func paletteIndex(pid int32) int {
	hash := int32(0x811c9dc5 & 0xfffffff)
	for _, digit := range strconv.Itoa(int(pid)) {
		hash ^= digit
		hash = int32(int64(float64(hash) * 16777619))
	}
	return int(max(int64(hash), -int64(hash)) % paletteSize)
}
