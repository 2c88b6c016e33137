//go:build thorough

package trellistest

import (
	"testing"
)

// TestTags finds and changes the tags of all services with boto3, which speaks CBOR to the Resource Groups Tagging API,
// and with the aws CLI; another account sees none of it.
func TestTags(t *testing.T) {
	t.Parallel()
	tr := Start(t)
	if got := tr.Python(t, "", mustRead(t, "testdata/tags.py"), tr.Dir+"/ca.pem"); got != "ok\n" {
		t.Error(got)
	}
	find := `aws resourcegroupstaggingapi get-resources --tag-filters Key=team,Values=pay --query 'length(ResourceTagMappingList)' --output text`
	if got := tr.Shell(t, "", find); got != "1\n" {
		t.Errorf("by the aws CLI: %q", got)
	}
	const account = "444455556666"
	makeAccount(t, tr, account)
	if got := tr.Shell(t, account, find); got != "0\n" {
		t.Errorf("in another account: %q", got)
	}
}
