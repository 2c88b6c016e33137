package telemetry

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/DataDog/sketches-go/ddsketch/store"
)

const (
	// accuracy is how far a percentile may be from the value that it stands for, relative to that.
	accuracy = 0.01
	// maxBins bounds what a sketch holds of positive values, and of negative ones: the smallest are merged first.
	maxBins = 2048
)

// Statistics sum up values of a metric. The zero value sums up none.
type Statistics struct {
	Unit                         string
	Count, Sum, Minimum, Maximum float64
	sketch                       *ddsketch.DDSketch // of the values; nil while there are none, or when only their statistics are known
}

// emptySketch is a sketch of no values.
func emptySketch() *ddsketch.DDSketch {
	s, err := ddsketch.LogCollapsingLowestDenseDDSketch(accuracy, maxBins)
	if err != nil {
		panic(err) // the accuracy is one
	}
	return s
}

// Take adds a value that was seen a number of times.
func (s *Statistics) Take(value, count float64) error {
	one := Statistics{Count: count, Sum: value * count, Minimum: value, Maximum: value, sketch: emptySketch()}
	if err := one.sketch.AddWithCount(value, count); err != nil {
		return fmt.Errorf("take a value: %w", err)
	}
	return s.Add(&one)
}

// Add adds what others sum up. The unit stays as it is.
func (s *Statistics) Add(o *Statistics) error {
	switch {
	case s.Count == 0:
		unit := s.Unit
		*s = *o
		if s.Unit = unit; o.sketch != nil {
			s.sketch = o.sketch.Copy()
		}
		return nil
	case o.Count == 0:
		return nil
	case s.sketch == nil || o.sketch == nil:
		s.sketch = nil // percentiles of a part would be wrong
	default:
		if err := s.sketch.MergeWith(o.sketch); err != nil {
			return fmt.Errorf("add values: %w", err)
		}
	}
	s.Count, s.Sum = s.Count+o.Count, s.Sum+o.Sum
	s.Minimum, s.Maximum = min(s.Minimum, o.Minimum), max(s.Maximum, o.Maximum)
	return nil
}

// IsStatistic tells whether Value knows a statistic.
func IsStatistic(name string) bool {
	_, err := percentile(name)
	return err == nil
}

// percentile reads p0 to p100 with at most ten digits behind the point. The others have 0.
func percentile(name string) (float64, error) {
	switch name {
	case "SampleCount", "Sum", "Average", "Minimum", "Maximum":
		return 0, nil
	}
	p, err := strconv.ParseFloat(strings.TrimPrefix(name, "p"), 64)
	if !strings.HasPrefix(name, "p") || err != nil || p < 0 || p > 100 || strings.ContainsAny(name, "+-eExXnN_") {
		return 0, errMetric("The value %s for parameter Stat is not supported.", name)
	}
	return p, nil
}

// Value is a statistic; known is false for percentiles where only statistics of the values were given.
func (s *Statistics) Value(name string) (v float64, known bool) {
	switch name {
	case "SampleCount":
		return s.Count, true
	case "Sum":
		return s.Sum, true
	case "Average":
		return s.Sum / s.Count, true
	case "Minimum":
		return s.Minimum, true
	case "Maximum":
		return s.Maximum, true
	}
	p, err := percentile(name)
	if err != nil {
		return 0, false
	}
	if s.sketch == nil {
		return s.Minimum, s.Minimum == s.Maximum
	}
	v, err = s.sketch.GetValueAtQuantile(p / 100)
	return math.Min(math.Max(v, s.Minimum), s.Maximum), err == nil
}

// encode writes statistics: the unit with its length, four numbers, and the sketch.
func (s *Statistics) encode() ([]byte, error) {
	b := binary.AppendUvarint(nil, uint64(len(s.Unit)))
	b = append(b, s.Unit...)
	for _, v := range []float64{s.Count, s.Sum, s.Minimum, s.Maximum} {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	if s.sketch != nil {
		s.sketch.Encode(&b, false)
	}
	return b, nil
}

// decodeStatistics reads what encode has written.
func decodeStatistics(b []byte) (*Statistics, error) {
	n, size := binary.Uvarint(b)
	if size <= 0 || uint64(len(b)-size) < n+32 {
		return nil, errors.New("read a statistic set: it is cut off")
	}
	s := &Statistics{Unit: string(b[size : size+int(n)])}
	b = b[size+int(n):]
	for i, v := range []*float64{&s.Count, &s.Sum, &s.Minimum, &s.Maximum} {
		*v = math.Float64frombits(binary.LittleEndian.Uint64(b[i*8:]))
	}
	if b = b[32:]; len(b) > 0 {
		sketch, err := ddsketch.DecodeDDSketch(b, func() store.Store { return store.NewCollapsingLowestDenseStore(maxBins) }, nil)
		if err != nil {
			return nil, fmt.Errorf("read a statistic set: %w", err)
		}
		s.sketch = sketch
	}
	return s, nil
}
