package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/spf13/cobra"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api/client"
	"github.com/trellis-project/trellis/estate"
)

// importAWSCommand is `trellis import-aws`: a real AWS account as a file that apply takes.
func importAWSCommand() *cobra.Command {
	var sel estate.Selection
	var profile, region, endpoint string
	cmd := &cobra.Command{
		Use:   "import-aws",
		Short: "Print what stands in an AWS account as a file that apply takes",
		Long: `Print what stands in an AWS account as a file that trellis apply takes (docs/estate.md). Credentials, region and endpoint are
found as AWS's SDKs find them: the environment, profiles with SSO and roles, container and instance roles. It makes calls
that begin with Describe, List and Get, and no others; what may not be read is named on standard error and left out.`,
		Example: `  trellis import-aws --profile production --region eu-west-1 >estate.yaml
  trellis apply -f estate.yaml`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, k := range sel.Kinds {
				if !slices.Contains(estate.Kinds(), k) {
					return usage(fmt.Errorf("--kind %q: want one of %s", k, strings.Join(estate.Kinds(), ", ")))
				}
			}
			var options []func(*config.LoadOptions) error
			if profile != "" {
				options = append(options, config.WithSharedConfigProfile(profile))
			}
			if region != "" {
				options = append(options, config.WithRegion(region))
			}
			if endpoint != "" {
				options = append(options, config.WithBaseEndpoint(endpoint))
			}
			found, err := config.LoadDefaultConfig(cmd.Context(), options...)
			if err != nil {
				return fmt.Errorf("read AWS's configuration: %w", err)
			}
			if found.Region == "" {
				return errors.New("no region: name it with --region or AWS_REGION, or in the profile")
			}
			if found.Credentials == nil {
				return errors.New("no credentials: log in (aws sso login), or name a profile with --profile")
			}
			a := &awsAccount{config: found}
			who, err := a.call(cmd.Context(), "sts", "GetCallerIdentity", nil)
			if err != nil {
				return fmt.Errorf("ask AWS who is calling: %w", err)
			}
			own, _ := who["Account"].(string)
			r := &estate.Reader{Region: found.Region, Own: own,
				Accounts: func(context.Context, string) (estate.Call, error) { return a.call, nil },
				Skipped: func(_, kind string, err error) {
					fmt.Fprintf(cmd.ErrOrStderr(), "left out: %s: %v\n", kind, err)
				}}
			sel.Accounts = []string{own}
			writeCode(cmd, &sel)
			out, err := r.Export(cmd.Context(), sel)
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(out)
			return err
		},
	}
	cmd.Flags().StringVar(&profile, "profile", "", "profile of AWS's configuration (default: AWS_PROFILE, else default)")
	cmd.Flags().StringVar(&region, "region", "", "region (default: AWS_REGION, else the profile's)")
	cmd.Flags().StringVar(&endpoint, "endpoint-url", "", "URL of all services (default: AWS_ENDPOINT_URL, else AWS's own)")
	bindSelection(cmd, &sel)
	return cmd
}

// awsAccount calls AWS's services at their endpoints with what the SDK found in the environment. The codecs are those of
// api/client, which are made from AWS's own models, so that a real account and a Trellis are read by the same lines.
type awsAccount struct {
	config aws.Config
}

// call makes a call that reads, and tries again what AWS had no time for.
func (a *awsAccount) call(ctx context.Context, service, operation string, in map[string]any) (map[string]any, error) {
	if !strings.HasPrefix(operation, "Describe") && !strings.HasPrefix(operation, "List") && !strings.HasPrefix(operation, "Get") {
		return nil, fmt.Errorf("%s is no reading call", operation)
	}
	credentials, err := a.config.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, fmt.Errorf("get credentials: %w", err)
	}
	endpoint, region := a.endpoint(service)
	c, err := client.New(endpoint, client.Credentials{AccessKeyID: credentials.AccessKeyID, SecretAccessKey: trellis.NewSecret(credentials.SecretAccessKey), SessionToken: credentials.SessionToken}, region)
	if err != nil {
		return nil, err
	}
	const most = 8 // the eighth pause is about half a minute
	for attempt := 0; ; attempt++ {
		out, err := c.Call(ctx, service, operation, in)
		if err == nil || attempt == most || !again(err) {
			return out, err
		}
		pause := time.Duration(float64(100*time.Millisecond<<attempt) * (0.5 + rand.Float64()))
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// again tells whether a call may succeed later: AWS throttled it, or was not well.
func again(err error) bool {
	var refused *trellis.Error
	return errors.As(err, &refused) && (refused.Status >= 500 || refused.Status == 429 || strings.Contains(refused.Code, "Throttl") ||
		refused.Code == "RequestLimitExceeded" || refused.Code == "TooManyRequestsException")
}

// serviceIDs are the names that the SDKs have for services in variables, where those of their signatures are others.
var serviceIDs = map[string]string{"elasticloadbalancing": "elastic-load-balancing-v2", "logs": "cloudwatch-logs", "monitoring": "cloudwatch", "route53": "route-53"}

// endpoint is where a service is, and the region that its signatures name: that of the environment or profile, else AWS's
// own (AWS General Reference, "Service endpoints and quotas"). IAM, Organizations and Route 53 have one region in each partition.
func (a *awsAccount) endpoint(service string) (url, region string) {
	variable := "AWS_ENDPOINT_URL_" + strings.ToUpper(strings.ReplaceAll(cmp.Or(serviceIDs[service], service), "-", "_"))
	region = a.config.Region
	given := cmp.Or(os.Getenv(variable), aws.ToString(a.config.BaseEndpoint))
	suffix, home := "amazonaws.com", "us-east-1"
	switch {
	case strings.HasPrefix(region, "cn-"):
		suffix, home = "amazonaws.com.cn", "cn-north-1"
	case strings.HasPrefix(region, "us-gov-"):
		home = "us-gov-west-1"
	}
	host := service + "." + region + "." + suffix
	switch service {
	case "iam":
		host = "iam." + suffix
		if home != "us-east-1" {
			host = "iam." + home + "." + suffix
		}
	case "organizations":
		host = "organizations." + home + "." + suffix
	case "route53":
		host = "route53." + suffix
		switch home {
		case "cn-north-1":
			home = "cn-northwest-1"
		case "us-gov-west-1":
			host = "route53.us-gov." + suffix
		}
	default:
		home = region
	}
	if given != "" {
		return given, region
	}
	return "https://" + host, home
}
