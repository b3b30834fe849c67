package api

// Lag lets tests have an event stream that nobody reads. The channel is closed when it is dropped.
func (h *Events) Lag(jobID string) <-chan struct{} {
	c := newStream(jobID)
	h.add(c)
	return c.gone
}
