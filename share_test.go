package trellis_test

import (
	"slices"
	"testing"

	"github.com/trellis-project/trellis"
)

// TestTerms finds shares and resource policies by whom they are for, and interfaces by who has them. What a policy says by a
// condition alone may be for anybody.
func TestTerms(t *testing.T) {
	s := &trellis.ResourceShare{}
	for _, p := range []string{"222222222222", "111111111111", "arn:aws:organizations::111111111111:organization/o-a", "arn:aws:organizations::111111111111:ou/o-a/ou-r-b", "arn:aws:iam::111111111111:role/x"} {
		s.Principals = append(s.Principals, trellis.SharePrincipal{Principal: p})
	}
	if got, want := s.Terms(), []string{"111111111111", "222222222222", "o-a", "o-a/ou-r-b"}; !slices.Equal(got, want) {
		t.Errorf("a share is found by %v, want %v", got, want)
	}
	eni := &trellis.ElasticNetworkInterface{}
	if got := trellis.Terms(eni); len(got) != 0 {
		t.Errorf("a free interface is found by %v", got)
	}
	eni.Attachment = &trellis.InterfaceAttachment{InstanceID: "i-1"}
	if got := trellis.Terms(eni); !slices.Equal(got, []string{"i-1"}) {
		t.Errorf("an interface is found by %v, want its instance", got)
	}
	for text, want := range map[string][]string{
		``: {"*"}, `{"Statement": 1}`: {"*"}, `{"Statement": {"Effect": "Allow"}}`: {"*"},
		`{"Statement": {"Effect": "Allow", "Principal": "*"}}`:                                                                                          {"*"},
		`{"Statement": {"Effect": "Allow", "Principal": {"AWS": "111111111111"}}}`:                                                                      {"111111111111"},
		`{"Statement": [{"Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam::222222222222:root", "111111111111", "arn:aws:iam::222222222222:x"]}}]}`: {"111111111111", "222222222222"},
		`{"Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}}, {"Effect": "Allow", "Principal": {"AWS": "111111111111"}}]}`:                    {"*", "111111111111"},
		`{"Statement": [{"Effect": "Deny", "Principal": "*"}, {"Effect": "Allow", "Principal": {"AWS": 1}}]}`:                                           {"*"},
		`{"Statement": [{"Effect": "Deny", "Principal": "*"}, {"Effect": "Allow", "Principal": {"Service": "a.amazonaws.com"}}]}`:                       nil,
	} {
		if got := (&trellis.ResourcePolicy{Text: text}).Terms(); !slices.Equal(got, want) {
			t.Errorf("%s is found by %v, want %v", text, got, want)
		}
	}
}
