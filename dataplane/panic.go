package dataplane

import (
	"errors"
	"runtime/debug"
)

// errPanicked is what the fiber of a request panics with when one beside it has: that sends its body, or carries the other
// direction. So there is one way for a request to end by a panic, whose ever it is.
var errPanicked = errors.New("the request panicked on another fiber")

// panicked logs what a fiber has panicked with, once. It is called where that is recovered from, so that the stack tells
// where it was.
func (s *Server) panicked(p any) {
	if p != errPanicked {
		s.Logger.Error("request handling panicked", "panic", p, "stack", string(debug.Stack()))
	}
}
