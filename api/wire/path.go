package wire

import (
	"net/url"
	"strings"
)

// pathPattern is an operation's path, split: literals and labels.
type pathPattern struct {
	parts  []string
	greedy bool              // the last label takes all that is left
	query  map[string]string // of restXml: parameters that must be there; empty values stand for any
}

// newPathPattern splits a path of a model, for example /services/{serviceIdentifier}.
func newPathPattern(path string) pathPattern {
	path, _, _ = strings.Cut(path, "?")
	p := pathPattern{parts: strings.Split(strings.TrimPrefix(path, "/"), "/")}
	if last := len(p.parts) - 1; strings.HasSuffix(p.parts[last], "+}") {
		p.parts[last] = strings.TrimSuffix(p.parts[last], "+}") + "}"
		p.greedy = true
	}
	return p
}

// match returns the decoded labels of a raw path's segments. Segments are decoded after the path was split,
// because ARNs, with slashes of their own, come percent-encoded in one segment.
func (p *pathPattern) match(segments []string) (map[string]string, bool) {
	if len(segments) != len(p.parts) && (!p.greedy || len(segments) < len(p.parts)) {
		return nil, false
	}
	var labels map[string]string
	for i, part := range p.parts {
		if !strings.HasPrefix(part, "{") {
			if part != segments[i] {
				return nil, false
			}
			continue
		}
		raw := segments[i]
		if p.greedy && i == len(p.parts)-1 {
			raw = strings.Join(segments[i:], "/")
		}
		value, err := url.PathUnescape(raw)
		if err != nil {
			return nil, false
		}
		if labels == nil {
			labels = map[string]string{}
		}
		labels[part[1:len(part)-1]] = value
	}
	return labels, true
}

// literals is how many segments are fixed: of two patterns that match, the one with more is meant.
func (p *pathPattern) literals() int {
	n := 0
	for _, part := range p.parts {
		if !strings.HasPrefix(part, "{") {
			n++
		}
	}
	return n
}

// escapeSegment percent-encodes a label, slashes and colons included, as AWS's clients do.
func escapeSegment(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}
