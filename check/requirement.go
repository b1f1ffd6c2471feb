package check

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"

	"github.com/trace2x/trace2x/internal/spelling"
	"github.com/trace2x/trace2x/report"
)

// Result is a requirement and whether it holds.
type Result struct {
	Requirement string
	Holds       bool
	// Values is what the names in it stand for, as people read it.
	Values []Value
	// Failing has the values of some entries that fail a requirement on all entries of a
	// list. It is nil for other requirements.
	Failing []Value
}

// Value is what a name stands for.
type Value struct{ Name, Value string }

// Evaluate evaluates a requirement. The error says what in it cannot be understood, or
// names what is not there, and what may have been meant.
func Evaluate(requirement string, values Values) (r Result, err error) {
	r.Requirement = requirement
	if strings.TrimSpace(requirement) == "" {
		return r, errors.New("a requirement is empty: write one as in gc.share < 10%")
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", requirement, err)
		}
	}()
	source, err := withoutUnits(requirement)
	if err != nil {
		return r, err
	}
	tree, err := parser.Parse(source)
	if err != nil {
		return r, short(err)
	}
	names := &finder{values: values}
	ast.Walk(&tree.Node, names)
	if names.err != nil {
		return r, names.err
	}
	if len(names.found) == 0 {
		return r, errors.New("it uses nothing of the trace, so it cannot fail")
	}
	program, err := expr.Compile(source, expr.Env(map[string]any(values)))
	if err != nil {
		return r, short(err)
	}
	got, err := expr.Run(program, map[string]any(values))
	if err != nil {
		return r, short(err)
	}
	holds, ok := got.(bool)
	if !ok {
		return r, fmt.Errorf("it is %v, and must be true or false, as in gc.share < 10%%", got)
	}
	r.Holds, r.Values, r.Failing = holds, names.shown(), names.failing(tree.Node)
	return r, nil
}

// short returns an error of expr without the expression, which has other numbers than
// the user wrote, and without the place in it.
func short(err error) error {
	line, _, _ := strings.Cut(err.Error(), "\n")
	if strings.Contains(line, "<nil>") {
		return errors.New("an entry does not have what is compared: the name is wrong, or there is nothing, as a type without a complete unit has no p99; (.p99 ?? 0) takes 0 for that")
	}
	return errors.New(place.ReplaceAllString(line, ""))
}

var place = regexp.MustCompile(` \(\d+:\d+\)$`)

// finder finds the names of a requirement, and what is wrong with them.
type finder struct {
	values Values
	found  []path
	inner  map[ast.Node]bool // parts of a path that was looked at
	err    error
}

// path is a name such as tasks["request"].p99, and what it stands for.
type path struct {
	name  string
	last  string
	value any
	// of is what has it, nil for the trace.
	of map[string]any
}

// Visit looks at a node after those in it.
func (f *finder) Visit(node *ast.Node) {
	if f.err != nil {
		return
	}
	switch n := (*node).(type) {
	case *ast.VariableDeclaratorNode:
		f.err = errors.New("let is not possible in a requirement")
	case *ast.IdentifierNode, *ast.MemberNode:
		p, known, err := f.resolve(n)
		if err != nil {
			f.err = err
			return
		}
		if !known {
			return
		}
		// The nodes of a path come one after the other, its beginning first.
		if last := len(f.found) - 1; last >= 0 && strings.HasPrefix(p.name, f.found[last].name) && f.inner[*node] {
			f.found = f.found[:last]
		}
		f.found = append(f.found, p)
	case *ast.BuiltinNode:
		f.notEmpty(n)
	}
}

// notEmpty checks that what is said about all entries of a list is said about some.
func (f *finder) notEmpty(n *ast.BuiltinNode) {
	switch n.Name {
	case "all", "none", "any", "one":
	default:
		return
	}
	list := n.Arguments[0]
	if values, ok := list.(*ast.BuiltinNode); ok && len(values.Arguments) == 1 {
		list = values.Arguments[0]
	}
	p, known, err := f.resolve(list)
	if err != nil || !known {
		return
	}
	empty := false
	switch v := p.value.(type) {
	case []any:
		empty = len(v) == 0
	case map[string]any:
		empty = len(v) == 0
	}
	if empty {
		f.err = fmt.Errorf("%s is empty, so that it says nothing", p.name)
	}
}

// resolve returns what a name stands for, false if that depends on other things. The
// error is that it stands for nothing.
func (f *finder) resolve(node ast.Node) (p path, known bool, err error) {
	switch n := node.(type) {
	case *ast.ChainNode:
		return f.resolve(n.Node)
	case *ast.IdentifierNode:
		v, ok := f.values[n.Value]
		if !ok {
			return p, false, f.missing("", n.Value, slices.Sorted(maps.Keys(f.values)))
		}
		return path{n.Value, n.Value, v, f.values}, true, nil
	case *ast.MemberNode:
		property, ok := n.Property.(*ast.StringNode)
		index, isIndex := n.Property.(*ast.IntegerNode)
		if !ok && !isIndex || n.Optional {
			return p, false, nil
		}
		of, known, err := f.resolve(n.Node)
		if !known || err != nil {
			return p, false, err
		}
		if f.inner == nil {
			f.inner = make(map[ast.Node]bool)
		}
		f.inner[node] = true
		if isIndex {
			list, _ := of.value.([]any)
			if index.Value < 0 || index.Value >= len(list) {
				return p, false, fmt.Errorf("%s has %d entries: there is no [%d]", of.name, len(list), index.Value)
			}
			return path{fmt.Sprintf("%s[%d]", of.name, index.Value), of.last, list[index.Value], of.of}, true, nil
		}
		m, isMap := of.value.(map[string]any)
		if !isMap {
			return p, false, fmt.Errorf("%s has nothing in it: there is no %s", of.name, property.Value)
		}
		v, ok := m[property.Value]
		if !ok {
			return p, false, f.missing(of.name, property.Value, slices.Sorted(maps.Keys(m)))
		}
		name := of.name + "." + property.Value
		if !isName.MatchString(property.Value) {
			name = of.name + "[" + strconv.Quote(property.Value) + "]"
		}
		return path{name, property.Value, v, m}, true, nil
	}
	return p, false, nil
}

var isName = regexp.MustCompile(`^[A-Za-z_]\w*$`)

// missing returns the error that something has no such name.
func (f *finder) missing(in, name string, names []string) error {
	if in == "" {
		in = "the trace"
	}
	near := spelling.Near(name, names)
	near = near[:min(len(near), 3)]
	hint := spelling.DidYouMean(near)
	if hint == "" && len(names) > 0 {
		hint = "; it has " + strings.Join(names[:min(len(names), 8)], ", ")
		if len(names) > 8 {
			hint += ", …"
		}
	}
	return fmt.Errorf("%s has no %q%s", in, name, hint)
}

// shown returns the names and their values, each once.
func (f *finder) shown() (out []Value) {
	for _, p := range f.found {
		v := Value{p.name, p.text()}
		if v.Value != "" && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// text returns a value as people read it.
func (p *path) text() string {
	switch v := p.value.(type) {
	case float64:
		return p.number(v)
	case string:
		return strconv.Quote(v)
	case bool:
		return strconv.FormatBool(v)
	case []any:
		return entries(len(v))
	case map[string]any:
		return entries(len(v))
	}
	return ""
}

// number returns a number with its unit, which the names in the JSON have, or the change
// of a comparison.
func (p *path) number(v float64) string {
	has := func(suffix string) bool {
		_, ok := p.of[p.last+suffix]
		return ok || strings.HasSuffix(p.last, suffix)
	}
	unit, _ := p.of["unit"].(string)
	if p.last != "before" && p.last != "after" && p.last != "delta" {
		unit = ""
	}
	switch {
	case shares[p.last] || unit == "share":
		return fmt.Sprintf("%.3g%%", 100*v)
	case has("_ns") || strings.HasPrefix(unit, "ns"):
		if v == 0 {
			return "0s"
		}
		return report.Duration(time.Duration(v))
	case has("_bytes") || unit == "bytes":
		return fmt.Sprintf("%.3gMB", v/1e6)
	}
	return strconv.FormatFloat(v, 'g', 6, 64)
}

// shares are the names of shares.
var shares = map[string]bool{"share": true, "mmu": true, "relative": true, "spread_before": true, "spread_after": true, "percentile_error": true}

func entries(n int) string {
	if n == 1 {
		return "1 entry"
	}
	return strconv.Itoa(n) + " entries"
}
