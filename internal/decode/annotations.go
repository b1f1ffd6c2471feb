package decode

// detailed is event with a detail.
func (o *order) detailed(c *Chunk, next *cursor, kind Kind) (*Event, *Detail) {
	e := o.event(c, kind, next.thread, next.time)
	return e, c.detail(e)
}

// named sets the name of a detail.
func (o *order) named(d *Detail, id uint64) (ok bool) {
	d.Name, ok = o.str(id)
	return ok
}

func (o *order) metric(c *Chunk, next *cursor, name string, stack uint64) outcome {
	e, d := o.detailed(c, next, Metric)
	d.Name, d.Value = name, next.args[0]
	return o.withStack(c, &e.Stack, stack)
}

func (o *order) label(c *Chunk, next *cursor) outcome {
	e, d := o.detailed(c, next, Label)
	e.ID = next.thread.g.id
	if !o.named(d, next.args[0]) {
		return odd
	}
	return happened
}

func (o *order) log(c *Chunk, next *cursor) outcome {
	e, d := o.detailed(c, next, Log)
	d.Task = taskID(next.args[0])
	var ok bool
	if d.Message, ok = o.str(next.args[2]); !ok || !o.named(d, next.args[1]) {
		return odd
	}
	return o.withStack(c, &e.Stack, next.args[3])
}

func (o *order) taskBegin(c *Chunk, next *cursor) outcome {
	e, d := o.detailed(c, next, TaskBegin)
	d.Task, d.Parent = next.args[0], taskID(next.args[1])
	if !o.named(d, next.args[2]) {
		return odd
	}
	return o.withStack(c, &e.Stack, next.args[3])
}

func (o *order) taskEnd(c *Chunk, next *cursor) outcome {
	e, _ := o.detailed(c, next, TaskEnd)
	e.ID = int64(next.args[0])
	return o.withStack(c, &e.Stack, next.args[1])
}

func (o *order) region(c *Chunk, next *cursor) outcome {
	kind := RegionBegin
	if next.typ == evUserRegionEnd {
		kind = RegionEnd
	}
	e, d := o.detailed(c, next, kind)
	d.Task = taskID(next.args[0])
	if !o.named(d, next.args[1]) {
		return odd
	}
	return o.withStack(c, &e.Stack, next.args[2])
}
