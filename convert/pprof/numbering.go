package pprof

// numbering gives values numbers, from 1 on. The zero value is ready to use.
type numbering[T comparable] struct {
	ids    map[T]int32
	values []T
}

// id returns the number of a value.
func (n *numbering[T]) id(v T) int32 {
	id, ok := n.ids[v]
	if !ok {
		if n.ids == nil {
			n.ids = make(map[T]int32)
		}
		n.values = append(n.values, v)
		id = int32(len(n.values))
		n.ids[v] = id
	}
	return id
}

// value returns the value that has a number. For 0 it returns T's zero value.
func (n *numbering[T]) value(id int32) (v T) {
	if id > 0 {
		v = n.values[id-1]
	}
	return v
}

// names gives strings numbers; "" has 0.
type names struct{ numbering[string] }

func (n *names) id(s string) int32 {
	if s == "" {
		return 0
	}
	return n.numbering.id(s)
}
