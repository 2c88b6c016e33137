package store

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"

	"github.com/trellis-project/trellis"
)

// keptFile is the file of the data directory with the nouns that were followed last, for a start while etcd, which others
// run, does not answer.
const keptFile = "kept.zst"

// kept is the first line of that file, and keptNoun each other one.
type (
	kept struct {
		Schema   schema           `json:"schema"`
		Revision trellis.Revision `json:"revision"`
		Nouns    int              `json:"nouns"`
	}
	keptNoun struct {
		Kind  trellis.Kind    `json:"kind"`
		Key   string          `json:"key"`
		Value json.RawMessage `json:"value"` // as etcd has it: secrets are sealed
	}
)

// Keep writes the nouns of a revision, which were read from the store, into the data directory, in place of those that were
// kept before.
func (s *Store) Keep(rev trellis.Revision, n int, nouns iter.Seq[trellis.Noun]) error {
	f, err := os.CreateTemp(s.o.Dir, ".kept-*") // mode 0600
	if err != nil {
		return fmt.Errorf("keep nouns: %w", err)
	}
	defer os.Remove(f.Name())
	err = s.writeKept(f, rev, n, nouns)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("keep nouns: %w", err)
	}
	if err := os.Rename(f.Name(), filepath.Join(s.o.Dir, keptFile)); err != nil {
		return fmt.Errorf("keep nouns: %w", err)
	}
	return nil
}

// writeKept writes the lines.
func (s *Store) writeKept(to io.Writer, rev trellis.Revision, n int, nouns iter.Seq[trellis.Noun]) error {
	z, err := zstd.NewWriter(to, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return err
	}
	lines := json.NewEncoder(z)
	err = lines.Encode(kept{schema{schemaVersion, s.keys.id()}, rev, n})
	for n := range nouns {
		if err != nil {
			break
		}
		var value []byte
		if value, err = json.Marshal(n); err == nil { // what was read has its sealed form still
			err = lines.Encode(keptNoun{n.Kind(), n.Key(), value})
		}
	}
	return errors.Join(err, z.Close())
}

// Kept reads what Keep has written, as a snapshot. Its error is os.ErrNotExist when nothing was.
func (s *Store) Kept() (Change, error) {
	f, err := os.Open(filepath.Join(s.o.Dir, keptFile))
	if err != nil {
		return Change{}, fmt.Errorf("read kept nouns: %w", err)
	}
	defer f.Close()
	z, err := zstd.NewReader(bufio.NewReader(f), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return Change{}, fmt.Errorf("read kept nouns: %w", err)
	}
	defer z.Close()
	lines := json.NewDecoder(z)
	var head kept
	if err := lines.Decode(&head); err != nil {
		return Change{}, fmt.Errorf("read kept nouns: %w", err)
	}
	if head.Schema.Version > schemaVersion {
		return Change{}, &SchemaError{head.Schema.Version, schemaVersion}
	}
	c := Change{Revision: head.Revision, Snapshot: true, Puts: make([]trellis.Noun, 0, head.Nouns)}
	t := newTexts()
	for range head.Nouns {
		var line keptNoun
		if err := lines.Decode(&line); err != nil {
			return Change{}, fmt.Errorf("read kept nouns: %w", err)
		}
		n, err := s.keys.decode(line.Kind, line.Key, line.Value)
		if err != nil {
			return Change{}, fmt.Errorf("read kept nouns: %w", err)
		}
		t.share(n)
		c.Puts = append(c.Puts, n)
	}
	return c, nil
}
