package workflows

// BatchState is everything that a run carries over when it continues as new. Its members are the run's own.
type BatchState struct{}

// Shard is a part of a batch that a child workflow converts.
type Shard struct{}

// Add counts what another part of the same batch has done.
func (p *BatchProgress) Add(other BatchProgress) { _ = other }
