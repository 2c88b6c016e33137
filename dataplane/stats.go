package dataplane

// Stats counts since the start.
type Stats struct {
	Open     int64  // clients' connections that are open
	Accepted uint64 // all of them
	Shed     uint64 // idle ones that were closed to make room
	Requests uint64 // that were accounted for
	Refused  uint64 // of these, answered with 503 for want of memory
	// Handshakes of TLS that came to an end, and those that did not. Connections that are passed through have none.
	Handshakes, HandshakesFailed uint64
	Failures                     map[Failure]uint64 // of the requests, those that did not go as they should
	// Resources are the connections to TCP resources that were carried, ResourcesFailed those that led nowhere.
	Resources, ResourcesFailed uint64
}

// Failure is what became of a request that did not go as it should, in the words of its access log.
type Failure struct {
	Reason string // failureReason, for example ClientProtocolError
	Status int    // responseCode, 0 when nothing could be answered
}

// Stats returns the counts.
func (s *Server) Stats() Stats {
	st := Stats{Open: s.open.Load(), Accepted: s.accepted.Load(), Shed: s.shed.Load(), Refused: s.refused.Load(),
		Handshakes: s.handshakes.Load(), HandshakesFailed: s.handshakesFailed.Load(), Failures: map[Failure]uint64{},
		Resources: s.resources.Load(), ResourcesFailed: s.resourcesFailed.Load()}
	select {
	case <-s.running:
	default:
		return st
	}
	for _, w := range s.workers {
		st.Requests += w.requests.Load()
		w.failing.Lock()
		for f, n := range w.failures {
			st.Failures[f] += n
		}
		w.failing.Unlock()
	}
	return st
}

// failed counts a request that did not go as it should.
func (w *worker) failed(f Failure) {
	w.failing.Lock()
	w.failures[f]++
	w.failing.Unlock()
}
