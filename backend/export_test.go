package backend

import "context"

// Sweep lets tests have the janitor's work done now.
func (s *Service) Sweep(ctx context.Context) error { return s.sweep(ctx) }
