// Package check evaluates requirements on what traces say, such as
//
//	tasks["request"].p99 < 50ms
//
// A requirement is an expression of github.com/expr-lang/expr over the documented JSON of
// a report ([Summary]) and of a comparison ([Values.AddDiff]), with durations, bytes and
// percent as people write them. docs/ci.md has the names.
//
// A requirement that cannot fail is none: it must use something of the trace, which must
// be there.
package check
