package identity

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"

	"github.com/trellis-project/trellis/authpolicy"
)

// variableForm is a policy variable, ${key} or ${key, 'default'}. Those of one character stand for it.
var variableForm = regexp.MustCompile(`\$\{\s*([^},]{2,}?)\s*(,[^}]*)?\}`)

// ContextKeys returns the condition keys that identity-based policies ask about, in conditions and as variables, sorted
// and as they are written (IAM API reference, GetContextKeysForCustomPolicy).
func ContextKeys(texts []string) ([]string, error) {
	found := map[string]bool{}
	for _, text := range texts {
		if _, err := authpolicy.Parse(text, authpolicy.Identity); err != nil {
			return nil, invalidInput("%s", malformed(err))
		}
		var doc struct{ Statement json.RawMessage }
		if err := json.Unmarshal([]byte(text), &doc); err != nil {
			return nil, invalidInput("%s", malformed(err))
		}
		type statement struct {
			Condition map[string]map[string]json.RawMessage
		}
		var list []statement
		if json.Unmarshal(doc.Statement, &list) != nil {
			list = make([]statement, 1)
			if err := json.Unmarshal(doc.Statement, &list[0]); err != nil {
				return nil, invalidInput("%s", malformed(err))
			}
		}
		for _, s := range list {
			for _, block := range s.Condition {
				for key := range block {
					found[key] = true
				}
			}
		}
		for _, m := range variableForm.FindAllStringSubmatch(text, -1) {
			found[m[1]] = true
		}
	}
	return slices.Sorted(maps.Keys(found)), nil
}
