package backend

import "context"

// Sweep lets tests have what is old removed now.
func (s *Service) Sweep(ctx context.Context) error { return s.sweep(ctx) }

// Wake lets tests have an idle worker of each lane look for jobs now.
func (s *Service) Wake() {
	s.jobs.Wake()
	s.goals.Wake()
}

// Crash lets tests have done what a start after a crash does: passes that were under way are due again.
func (s *Service) Crash(ctx context.Context) error {
	err := s.store.RecoverGoals(ctx, true)
	s.goals.Wake()
	return err
}

// InOrder is every engine in the order of DefaultRegistry.
var InOrder = inOrder
