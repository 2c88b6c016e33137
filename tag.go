package trellis

import (
	"strings"
	"unicode/utf8"
)

// MaxTags is how many tags a resource may have (AWS general reference, tag naming limits).
const MaxTags = 50

// TagFault is what is wrong with a tag, in words; empty when nothing is.
type TagFault string

// The faults of tags that every service of AWS refuses, each in words and with a code of its own.
const (
	TagKeyLength   TagFault = "A tag key has 1 to 128 characters."
	TagValueLength TagFault = "A tag value has at most 256 characters."
	TagReserved    TagFault = "A tag key must not begin with aws:."
)

// CheckTag holds a tag against what all of AWS's services have in common.
func CheckTag(key, value string) TagFault {
	switch {
	case key == "" || utf8.RuneCountInString(key) > 128:
		return TagKeyLength
	case utf8.RuneCountInString(value) > 256:
		return TagValueLength
	case strings.HasPrefix(strings.ToLower(key), "aws:"):
		return TagReserved
	}
	return ""
}
