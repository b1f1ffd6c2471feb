// Package diff compares what traces say of a program before and after a change.
//
// [NewRun] takes the numbers that are compared from the [report.Report] of one trace, and
// [Compare] compares those of several runs before and after. [Text] renders the result for
// a terminal and [HTML] as a page; its JSON names are documented in docs/diff.md.
//
// Functions are compared by name and never by line, so that code that moved is no
// difference. A closure has the name of the function around it: the compiler numbers
// closures, and other versions of Go number them otherwise. See [Function].
//
// # What is a change
//
// With [MinRuns] runs or more on each side, a number has changed if both tests of package
// benchmath say so at [Alpha]: the Mann–Whitney test, whose p-value is shown; and Welch's
// t-test with the correction of Holm and Bonferroni. Hundreds of numbers are compared, and
// without the correction some would differ by chance.
//
// With fewer runs there is no significance. A number is then shown if it differs by more
// than twice as much as the runs of one side differ among themselves. If a side has one
// run, its two halves are compared in their place.
package diff
