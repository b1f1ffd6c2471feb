// Package web makes pages of a Go execution trace: what a terminal shows as text, with
// plots over time, tables that sort and filter, and the critical path of each unit of
// work as a picture.
//
// [Read] reads a trace once. [Server] serves its pages: each page of a range of time is
// the [report.Report] of exactly that window, which is read when somebody asks for it. It
// also converts windows for the Perfetto UI, and makes flame graphs. [Write] writes the
// same sections as one file that needs nothing else. [Together] is several traces, whose
// pages have what they add up to.
//
// Pages are HTML made here, with one style sheet and one script, both allowed by their
// hashes: a content security policy forbids everything else, and each other host. Names
// in a trace are hostile, and text wherever they appear.
package web
