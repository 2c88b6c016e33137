package targetgroup

import (
	"fmt"
	"strconv"
	"strings"
)

// matcher is the set of status codes that count as healthy.
type matcher []struct{ from, to int }

// parseMatcher reads a health check's matcher: codes and ranges, for example "200,202" or "200-299,404".
// Empty text means 200.
func parseMatcher(text string) (matcher, error) {
	if text == "" {
		return matcher{{200, 200}}, nil
	}
	var m matcher
	for part := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(strings.TrimSpace(part), "-")
		from, err := strconv.Atoi(first)
		to := from
		if err == nil && isRange {
			to, err = strconv.Atoi(last)
		}
		if err != nil || from < 100 || to > 599 || from > to {
			return nil, fmt.Errorf("matcher %q: %q is neither a status code nor a range of them", text, part)
		}
		m = append(m, struct{ from, to int }{from, to})
	}
	return m, nil
}

// matches tells whether a status code is in the set.
func (m matcher) matches(code int) bool {
	for _, r := range m {
		if code >= r.from && code <= r.to {
			return true
		}
	}
	return false
}
