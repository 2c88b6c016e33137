package identity

import (
	"maps"
	"slices"

	"github.com/trellis-project/trellis/authpolicy"
)

// ContextKeys returns the condition keys that identity-based policies ask about, in conditions and as variables, sorted
// and as they are written (IAM API reference, GetContextKeysForCustomPolicy).
func ContextKeys(texts []string) ([]string, error) {
	found := map[string]bool{}
	for _, text := range texts {
		p, err := authpolicy.Parse(text, authpolicy.Identity)
		if err != nil {
			return nil, invalidInput("%s", malformed(err))
		}
		for _, key := range p.Keys() {
			found[key] = true
		}
	}
	return slices.Sorted(maps.Keys(found)), nil
}
