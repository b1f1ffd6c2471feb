package diff

import (
	"regexp"
	"strings"

	"github.com/trace2x/trace2x/model"
)

// closure is an element of a function's name that the compiler has made: the number of a
// function literal, or of the wrapper of a go or defer statement.
var closure = regexp.MustCompile(`^(func)?\d+$|^(gowrap|deferwrap)\d*$`)

// rangeBody is the end of the name of a function whose loop over a function has a body of
// its own.
var rangeBody = regexp.MustCompile(`-range\d+$`)

// Function returns the name by which a function is compared. That of a closure is the
// name of the function around it, with ".func" in place of its numbers. Up to Go 1.26, a
// closure of a function that was inlined has also the name of the function into which; it
// is left out, and with it the type of a method that is not on a pointer, which looks the
// same:
//
//	main.(*server).get.func2.1   main.(*server).get.func
//	main.main.each.func3         main.each.func
//	main.main-range1             main.main.func
func Function(name string) string {
	pkg := model.PackageOf(name)
	rest, ok := strings.CutPrefix(name, pkg+".")
	if !ok {
		return name
	}
	elements := split(rest)
	named := elements[:0:0]
	for _, e := range elements {
		if !closure.MatchString(e) {
			named = append(named, rangeBody.ReplaceAllString(e, ""))
		}
	}
	if len(named) == 0 || len(named) == len(elements) && !rangeBody.MatchString(rest) {
		return strings.TrimSuffix(name, "-fm") // a method value
	}
	last := named[len(named)-1]
	if n := len(named) - 2; n >= 0 && strings.HasPrefix(named[n], "(") {
		last = named[n] + "." + last
	}
	return pkg + "." + last + ".func"
}

// split splits at dots outside of brackets.
func split(name string) (elements []string) {
	depth, from := 0, 0
	for i := range len(name) {
		switch name[i] {
		case '(', '[':
			depth++
		case ')', ']':
			depth--
		case '.':
			if depth == 0 {
				elements = append(elements, name[from:i])
				from = i + 1
			}
		}
	}
	return append(elements, name[from:])
}
