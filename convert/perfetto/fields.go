package perfetto

// The numbers of the fields that are appended by hand, as in
// perfettopb/perfetto.proto. The tests decode the output with the generated
// code, so that the two cannot differ.

// Trace
const fTracePacket field = 1

// TracePacket
const (
	fPacketFtraceEvents   field = 1
	fPacketTimestamp      field = 8
	fPacketSequenceID     field = 10 // trusted_packet_sequence_id
	fPacketTrackEvent     field = 11
	fPacketInternedData   field = 12
	fPacketSequenceFlags  field = 13
	fPacketTimestampClock field = 58 // timestamp_clock_id
	fPacketPerfSample     field = 66
	fPacketTaskState      field = 117 // generic_kernel_task_state_event
	fTaskStateTID         field = 3   // GenericKernelTaskStateEvent.tid
	fTaskStateState       field = 4   // GenericKernelTaskStateEvent.state
)

// TrackEvent
const (
	fEventCategory        field = 3 // category_iids
	fEventAnnotation      field = 4 // debug_annotations
	fEventType            field = 9
	fEventNameIID         field = 10
	fEventTrack           field = 11 // track_uuid
	fEventName            field = 23
	fEventCounterValue    field = 30
	fEventFlow            field = 47 // flow_ids
	fEventTerminatingFlow field = 48 // terminating_flow_ids
	fEventCallstack       field = 56 // callstack_iid
)

// DebugAnnotation
const (
	fAnnotationNameIID   field = 1
	fAnnotationBool      field = 2
	fAnnotationInt       field = 4
	fAnnotationString    field = 6
	fAnnotationStringIID field = 17
)

// InternedData
const (
	fInternedCategories       field = 1 // event_categories
	fInternedNames            field = 2 // event_names
	fInternedAnnotationNames  field = 3 // debug_annotation_names
	fInternedFunctionNames    field = 5
	fInternedFrames           field = 6
	fInternedCallstacks       field = 7
	fInternedSourcePaths      field = 18
	fInternedKernelSymbols    field = 26
	fInternedAnnotationValues field = 29 // debug_annotation_string_values
)

// EventCategory, EventName, DebugAnnotationName, InternedString
const (
	fInternedIID  field = 1
	fInternedText field = 2 // name, or str
)

// Frame and Callstack
const (
	fFrameIID        field = 1
	fFrameFunction   field = 2 // function_name_id
	fFrameSource     field = 5 // source_path_iid
	fFrameLine       field = 6 // line_number
	fCallstackIID    field = 1
	fCallstackFrames field = 2 // frame_ids
)

// PerfSample
const (
	fSampleCPU       field = 1
	fSamplePID       field = 2
	fSampleTID       field = 3
	fSampleCallstack field = 4 // callstack_iid
	fSampleMode      field = 5 // cpu_mode
	fSampleTimebase  field = 6 // timebase_count
)

// FtraceEventBundle
const (
	fBundleCPU     field = 1
	fBundleEvent   field = 2
	fBundleCompact field = 4 // compact_sched
)

// FtraceEventBundle.CompactSched
const (
	fSwitchTimestamp field = 1
	fSwitchPrevState field = 2
	fSwitchNextPID   field = 3
	fSwitchNextPrio  field = 4
	fCompactComms    field = 5 // intern_table
	fSwitchNextComm  field = 6
	fWakingTimestamp field = 7
	fWakingPID       field = 8
	fWakingTargetCPU field = 9
	fWakingPrio      field = 10
	fWakingComm      field = 11
	fWakingFlags     field = 12 // waking_common_flags
)

// FtraceEvent, SchedBlockedReasonFtraceEvent, SchedWakingFtraceEvent
const (
	fFtraceTimestamp     field = 1
	fFtracePID           field = 2
	fFtraceBlockedReason field = 18
	fFtraceWaking        field = 20
	fBlockedPID          field = 1
	fBlockedCaller       field = 2
	fWakingEventComm     field = 1
	fWakingEventPID      field = 2
	fWakingEventPrio     field = 3
	fWakingEventSuccess  field = 4
	fWakingEventCPU      field = 5
)
