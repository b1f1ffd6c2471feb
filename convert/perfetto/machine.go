package perfetto

import (
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/trace2x/trace2x/convert/perfetto/perfettopb"
	"github.com/trace2x/trace2x/internal/wire"
	"github.com/trace2x/trace2x/model"
)

// Machine makes a trace one of several programs in one file. Perfetto calls what each
// packet is from a machine, and keeps CPUs, processes and threads of different machines
// apart. The file is what the writers of all programs write, one after the other.
type Machine struct {
	// Index is the number of the program, from 0, of Of programs, which are at most
	// [MaxMachines].
	Index, Of int
	// Name stands before the names of the program's processes and groups.
	Name string
	// Shift is added to all times. It brings the clock of the trace to the one that all
	// programs of the file share; no time may become negative.
	Shift time.Duration
	// Calls has the numbers of the calls in which spans of this program take part, as
	// callers of another program or as those that serve it, by their span IDs. Both sides
	// of a call have its number. The group [CallsGroup] shows both.
	Calls map[[8]byte][]int
	// Attributes are said of the program besides what is known of every trace, by key.
	Attributes map[string]string
}

// MaxMachines is the largest number of programs in a file: numbers of packet sequences
// take one byte.
const MaxMachines = 127 / sequences

// one is the machine of a file of one program.
var one = Machine{Of: 1}

// id is TracePacket.machine_id. The packets of the first machine have none.
func (m *Machine) id() uint32 { return uint32(m.Index) }

// sequence returns the number of a packet sequence, which differs in all programs.
func (m *Machine) sequence(s byte) byte { return byte(m.Index)*sequences + s }

// number returns the number of the n-th track, from 1 on. No other program has it.
func (m *Machine) number(n uint64) uint64 { return n*uint64(m.Of) + uint64(m.Index) }

// time returns a time as it is in the file.
func (m *Machine) time(t model.Time) uint64 { return uint64(t + model.Time(m.Shift)) }

// title puts the name of the program before another name.
func (m *Machine) title(name string) string {
	if m.Name == "" {
		return name
	}
	return m.Name + ": " + name
}

// appendID appends the field of the machine to an open packet.
func (m *Machine) appendID(b []byte) []byte {
	if id := m.id(); id != 0 {
		b = wire.AppendUint(b, fPacketMachineID, uint64(id))
	}
	return b
}

// describe names the machine: it is machine.sysname in the trace processor.
func (m *Machine) describe(p *packets) {
	if m.Name == "" {
		return
	}
	p.put(&perfettopb.TracePacket{Data: &perfettopb.TracePacket_SystemInfo{SystemInfo: &perfettopb.SystemInfo{
		Utsname: &perfettopb.Utsname{Sysname: proto.String(wire.Text(m.Name))},
	}}})
}
