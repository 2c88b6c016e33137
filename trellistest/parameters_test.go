//go:build thorough

package trellistest

import (
	"strings"
	"testing"
)

// TestParameters drives Systems Manager's parameters and Firehose's streams with boto3 and the CLI.
func TestParameters(t *testing.T) {
	t.Parallel()
	tr := Start(t)
	makeRole(t, tr, "", "deliver")
	if got := strings.TrimSpace(tr.Python(t, "", mustRead(t, "testdata/parameters.py"))); got != "ok" {
		t.Error(got)
	}
	image := `aws ssm get-parameter --name /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64 --query Parameter.Value --output text`
	if got := tr.Shell(t, "", `aws ec2 describe-images --image-ids $(`+image+`) --query 'Images[0].State' --output text`); strings.TrimSpace(got) != "available" {
		t.Errorf("the image of a public parameter is %q", got)
	}
}
