package activities

import "github.com/convilyn/convilyn-temporal/manifest"

// The types by which a batch's histories speak of its files on disk.
type (
	// BatchSpec is what somebody asks to be converted.
	BatchSpec = manifest.Spec
	// BatchPlan is a plan on disk.
	BatchPlan = manifest.Plan
	// BatchItem is one line of a plan.
	BatchItem = manifest.Item
	// BatchEntry is what became of an item.
	BatchEntry = manifest.Entry
	// BatchFault is why an item has no output.
	BatchFault = manifest.Fault
	// BatchKnown is an item, and what became of it as far as a run remembers.
	BatchKnown = manifest.Known
	// BatchSummary counts the lines of a complete report.
	BatchSummary = manifest.Summary
	// Output is one file that a run has made.
	Output = manifest.Output
)
