package identity

import (
	"regexp"
	"strings"

	"github.com/trellis-project/trellis"
)

// The forms of names and paths (IAM API reference, CreateUser and CreateRole).
var (
	nameForm        = regexp.MustCompile(`^[\w+=,.@-]{1,128}$`)
	pathForm        = regexp.MustCompile(`^(/|/[\x21-\x7E]{1,510}/)$`)
	sessionNameForm = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
)

// Limits of IAM that nobody can raise (IAM user guide, IAM and AWS STS quotas). The others stand in package quota.
const (
	maxUserName         = 64
	maxRoleName         = 64
	maxPolicyName       = 128
	maxGroupName        = 128
	maxProfileName      = 128
	maxKeysOfUser       = 2
	maxInlineOfUser     = 2048  // characters of all inline policies together, without white space
	maxInlineOfGroup    = 5120  // likewise
	maxInlineOfRole     = 10240 // likewise
	maxTrust            = 2048
	maxManaged          = 6144
	maxVersions         = 5 // of a managed policy
	maxGroupsOfUser     = 10
	defaultSession      = 3600
	minSession          = 900
	maxChainedSession   = 3600
	maxSessionOfAnyRole = 43200
)

// lower folds the case of names, which are unique regardless of it.
func lower(s string) string { return strings.ToLower(s) }

// checkName refuses a name that IAM would refuse.
func checkName(what, name string, longest int) error {
	if len(name) > longest || !nameForm.MatchString(name) {
		return trellis.NewError(400, "ValidationError",
			"The specified value for %s is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_- and be 1 to %d characters long", what, longest)
	}
	return nil
}

// checkPath refuses a path that IAM would refuse, and turns none into "/".
func checkPath(path string) (string, error) {
	if path == "" {
		return "/", nil
	}
	if !pathForm.MatchString(path) {
		return "", trellis.NewError(400, "ValidationError",
			"The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / and other printable ASCII characters.")
	}
	return path, nil
}

// checkTags refuses tags that IAM would refuse.
func checkTags(tags map[string]string) error {
	if len(tags) > trellis.MaxTags {
		return limitExceeded("The number of tags has reached the maximum limit of %d.", trellis.MaxTags)
	}
	for k, v := range tags {
		if fault := trellis.CheckTag(k, v); fault != "" {
			return invalidInput("%s", fault)
		}
	}
	return nil
}

// sizeOf counts the characters of a policy as IAM's quotas do, without white space.
func sizeOf(text string) int {
	n := 0
	for _, c := range text {
		if c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			n++
		}
	}
	return n
}
