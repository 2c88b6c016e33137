package trellis

// Change is one change of a State: Was is nil for a noun that came, Is for one that went.
type Change struct{ Was, Is Noun }

// Kind is the kind of the noun that changed.
func (c Change) Kind() Kind {
	if c.Is != nil {
		return c.Is.Kind()
	}
	return c.Was.Kind()
}

// Moment is a moment in the life of one State. The zero Moment is of none.
type Moment struct {
	log *journal
	at  int
}

// journal is the latest changes of a State.
type journal struct {
	first   int // how many changes were forgotten
	changes []Change
}

// remembered is how many changes a State remembers at least. One revision has few; what misses more than these
// is made anew as a whole.
const remembered = 16_384

// add appends a change and forgets the oldest ones.
func (j *journal) add(c Change) {
	if len(j.changes) == 2*remembered {
		j.changes = append(make([]Change, 0, 2*remembered), j.changes[remembered:]...)
		j.first += remembered
	}
	j.changes = append(j.changes, c)
}

// Moment is this moment.
func (s *State) Moment() Moment { return Moment{s.log, s.log.first + len(s.log.changes)} }

// Since returns the changes since a Moment, oldest first, to be read before the next change. Not ok means that they
// are not known: the Moment is of another State, or too many changes came after it.
func (s *State) Since(m Moment) (changes []Change, ok bool) {
	if m.log != s.log || m.at < s.log.first {
		return nil, false
	}
	return s.log.changes[m.at-s.log.first:], true
}
