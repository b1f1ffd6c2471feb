package perfetto

import "github.com/trace2x/trace2x/internal/wire"

// The numbers of the fields that are appended by hand. They are in
// perfettopb/perfetto.proto. The tests decode the output with the generated code, so
// the numbers cannot differ from Perfetto's.

// Trace
const fTracePacket wire.Number = 1

// TracePacket
const (
	fPacketFtraceEvents   wire.Number = 1
	fPacketTimestamp      wire.Number = 8
	fPacketSequenceID     wire.Number = 10 // trusted_packet_sequence_id
	fPacketTrackEvent     wire.Number = 11
	fPacketInternedData   wire.Number = 12
	fPacketSequenceFlags  wire.Number = 13
	fPacketTimestampClock wire.Number = 58 // timestamp_clock_id
	fPacketPerfSample     wire.Number = 66
	fPacketMachineID      wire.Number = 98
	fPacketTaskState      wire.Number = 117 // generic_kernel_task_state_event
	fTaskStateTID         wire.Number = 3   // GenericKernelTaskStateEvent.tid
	fTaskStateState       wire.Number = 4   // GenericKernelTaskStateEvent.state
)

// TrackDescriptor, ThreadDescriptor
const (
	fPacketTrackDescriptor wire.Number = 60 // TracePacket.track_descriptor
	fTrackUUID             wire.Number = 1
	fTrackThread           wire.Number = 4
	fThreadPID             wire.Number = 1
	fThreadTID             wire.Number = 2
	fThreadName            wire.Number = 5
)

// TrackEvent
const (
	fEventCategory        wire.Number = 3 // category_iids
	fEventAnnotation      wire.Number = 4 // debug_annotations
	fEventType            wire.Number = 9
	fEventNameIID         wire.Number = 10
	fEventTrack           wire.Number = 11 // track_uuid
	fEventName            wire.Number = 23
	fEventCounterValue    wire.Number = 30
	fEventFlow            wire.Number = 47 // flow_ids
	fEventTerminatingFlow wire.Number = 48 // terminating_flow_ids
	fEventCallstack       wire.Number = 56 // callstack_iid
)

// DebugAnnotation
const (
	fAnnotationNameIID wire.Number = 1
	fAnnotationBool    wire.Number = 2
	fAnnotationInt     wire.Number = 4
	fAnnotationString  wire.Number = 6
)

// InternedData
const (
	fInternedCategories      wire.Number = 1 // event_categories
	fInternedNames           wire.Number = 2 // event_names
	fInternedAnnotationNames wire.Number = 3 // debug_annotation_names
	fInternedFunctionNames   wire.Number = 5
	fInternedFrames          wire.Number = 6
	fInternedCallstacks      wire.Number = 7
	fInternedSourcePaths     wire.Number = 18
	fInternedKernelSymbols   wire.Number = 26
)

// EventCategory, EventName, DebugAnnotationName, InternedString
const (
	fInternedIID  wire.Number = 1
	fInternedText wire.Number = 2 // name, or str
)

// Frame and Callstack
const (
	fFrameIID        wire.Number = 1
	fFrameFunction   wire.Number = 2 // function_name_id
	fFrameSource     wire.Number = 5 // source_path_iid
	fFrameLine       wire.Number = 6 // line_number
	fCallstackIID    wire.Number = 1
	fCallstackFrames wire.Number = 2 // frame_ids
)

// PerfSample
const (
	fSampleCPU       wire.Number = 1
	fSamplePID       wire.Number = 2
	fSampleTID       wire.Number = 3
	fSampleCallstack wire.Number = 4 // callstack_iid
	fSampleMode      wire.Number = 5 // cpu_mode
	fSampleTimebase  wire.Number = 6 // timebase_count
)

// FtraceEventBundle
const (
	fBundleCPU     wire.Number = 1
	fBundleEvent   wire.Number = 2
	fBundleCompact wire.Number = 4 // compact_sched
)

// FtraceEventBundle.CompactSched
const (
	fSwitchTimestamp wire.Number = 1
	fSwitchPrevState wire.Number = 2
	fSwitchNextPID   wire.Number = 3
	fSwitchNextPrio  wire.Number = 4
	fCompactComms    wire.Number = 5 // intern_table
	fSwitchNextComm  wire.Number = 6
	fWakingTimestamp wire.Number = 7
	fWakingPID       wire.Number = 8
	fWakingTargetCPU wire.Number = 9
	fWakingPrio      wire.Number = 10
	fWakingComm      wire.Number = 11
	fWakingFlags     wire.Number = 12 // waking_common_flags
)

// FtraceEvent, SchedBlockedReasonFtraceEvent, SchedWakingFtraceEvent
const (
	fFtraceTimestamp     wire.Number = 1
	fFtracePID           wire.Number = 2
	fFtraceBlockedReason wire.Number = 18
	fFtraceWaking        wire.Number = 20
	fBlockedPID          wire.Number = 1
	fBlockedCaller       wire.Number = 2
	fWakingEventComm     wire.Number = 1
	fWakingEventPID      wire.Number = 2
	fWakingEventPrio     wire.Number = 3
	fWakingEventSuccess  wire.Number = 4
	fWakingEventCPU      wire.Number = 5
)
