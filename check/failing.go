package check

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
)

// maxFailing is how many values failing returns.
const maxFailing = 3

// failing returns the values of some entries that fail a requirement on all entries of a
// list, as in all(values(tasks), .p99 < 1s). It returns nothing for other requirements.
func (f *finder) failing(requirement ast.Node) (out []Value) {
	all, ok := requirement.(*ast.BuiltinNode)
	if !ok || all.Name != "all" || len(all.Arguments) != 2 {
		return nil
	}
	predicate, ok := all.Arguments[1].(*ast.PredicateNode)
	if !ok {
		return nil
	}
	source := fmt.Sprintf("filter(%s, not (%s))", all.Arguments[0], predicate.Node)
	got, err := expr.Eval(source, map[string]any(f.values))
	if err != nil {
		return nil
	}
	entries, _ := got.([]any)
	var asked properties
	ast.Walk(&predicate.Node, &asked)
	for _, x := range entries {
		entry, _ := x.(map[string]any)
		for _, property := range asked {
			p := path{property, property, entry[property], entry}
			if text := p.text(); text != "" {
				out = append(out, Value{f.nameOf(all.Arguments[0], entry) + property, text})
			}
		}
	}
	// The values of a map come in any order.
	slices.SortStableFunc(out, func(a, b Value) int { return strings.Compare(a.Name, b.Name) })
	if n := len(out) - maxFailing; n > 0 {
		out = append(out[:maxFailing], Value{"…", fmt.Sprintf("(%d more)", n)})
	}
	return out
}

// nameOf returns what to write before a property of an entry of a list: the name of the
// entry, if the list has the values of a map.
func (f *finder) nameOf(list ast.Node, entry map[string]any) string {
	values, ok := list.(*ast.BuiltinNode)
	if !ok || values.Name != "values" || len(values.Arguments) != 1 {
		return ""
	}
	of, known, err := f.resolve(values.Arguments[0])
	if err != nil || !known {
		return ""
	}
	entries, _ := of.value.(map[string]any)
	for name, x := range entries {
		if reflect.ValueOf(x).Pointer() == reflect.ValueOf(entry).Pointer() {
			return strconv.Quote(name) + "."
		}
	}
	return ""
}

// properties are the names that a predicate asks of an entry, as in .p99 < 1s.
type properties []string

// Visit is part of [ast.Visitor].
func (p *properties) Visit(node *ast.Node) {
	n, ok := (*node).(*ast.MemberNode)
	if !ok {
		return
	}
	name, named := n.Property.(*ast.StringNode)
	if _, ok := n.Node.(*ast.PointerNode); ok && named {
		*p = append(*p, name.Value)
	}
}
