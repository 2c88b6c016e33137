package trellis

import (
	"maps"
	"reflect"
	"slices"
	"testing"
)

// untagged are the kinds of nouns with tags that the tagging API does not see, and why.
var untagged = map[Kind]string{
	KindAccount:               "belongs to an organization: identity.OrgTagged finds its tags",
	KindAppliedQuota:          "Service Quotas lists its tags",
	KindFunctionAlias:         "aliases have no tags",
	KindKeyAlias:              "aliases have no tags",
	KindGrant:                 "grants have no tags",
	KindGroup:                 "groups of users have no tags",
	KindPublishedVersion:      "versions have no tags",
	KindHandshake:             "the tags are those that the account gets which is invited",
	KindOrganizationalUnit:    "belongs to an organization: identity.OrgTagged finds its tags",
	KindOrganizationPolicy:    "belongs to an organization: identity.OrgTagged finds its tags",
	KindParameterVersion:      "versions have no tags of their own",
	KindPermissionReplacement: "work under way has no tags",
	KindRecordSet:             "record sets have no tags",
	KindRole:                  "AWS's API does not know roles: IAM lists their tags",
	KindUser:                  "AWS's API does not know users: IAM lists their tags",
}

// TestTaggedKinds finds nouns with tags that nobody listed, and nouns that are listed under a wrong form.
func TestTaggedKinds(t *testing.T) {
	for _, kind := range slices.Sorted(maps.Keys(makers)) {
		n, err := NewNoun(kind)
		if err != nil {
			t.Fatal(err)
		}
		f := reflect.ValueOf(n).Elem().FieldByName("Tags")
		_, listed := tagged[kind]
		switch has := f.IsValid() && f.Type() == reflect.TypeFor[map[string]string](); {
		case has && !listed && untagged[kind] == "":
			t.Errorf("%s has tags: give it a line in tagged.go, or a reason in tagged_test.go", kind)
		case listed && (!has || untagged[kind] != ""):
			t.Errorf("%s is in tagged.go, and has no tags to be seen there", kind)
		}
		if !listed {
			continue
		}
		if l, ok := n.(*LoadBalancerListener); ok {
			l.DefaultRule = "0"
		}
		if b, ok := n.(*Bucket); ok {
			b.ID = "name" // an ARN of S3 is nothing without it
		}
		for _, r := range TaggedResources(n, "eu-west-1") {
			if a, err := ParseARN(r.ARN); err != nil || a.Service+":" != r.Type[:len(a.Service)+1] {
				t.Errorf("%s: %s of the type %s, %v", kind, r.ARN, r.Type, err)
			}
			if !slices.Contains(TaggedKinds(r.Type), kind) {
				t.Errorf("%s is not found by the type %s", kind, r.Type)
			}
		}
	}
}
