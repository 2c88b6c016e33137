package main

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// TestEndpoints finds AWS's endpoints, and the regions that signatures for them name, as the SDKs do.
func TestEndpoints(t *testing.T) {
	for _, c := range []struct{ service, region, url, signed string }{
		{"vpc-lattice", "eu-west-1", "https://vpc-lattice.eu-west-1.amazonaws.com", "eu-west-1"},
		{"elasticloadbalancing", "eu-west-1", "https://elasticloadbalancing.eu-west-1.amazonaws.com", "eu-west-1"},
		{"monitoring", "cn-north-1", "https://monitoring.cn-north-1.amazonaws.com.cn", "cn-north-1"},
		{"s3", "eu-west-1", "https://s3.eu-west-1.amazonaws.com", "eu-west-1"},
		{"iam", "eu-west-1", "https://iam.amazonaws.com", "us-east-1"},
		{"iam", "us-gov-east-1", "https://iam.us-gov-west-1.amazonaws.com", "us-gov-west-1"},
		{"organizations", "eu-west-1", "https://organizations.us-east-1.amazonaws.com", "us-east-1"},
		{"route53", "eu-west-1", "https://route53.amazonaws.com", "us-east-1"},
		{"route53", "cn-northwest-1", "https://route53.amazonaws.com.cn", "cn-northwest-1"},
		{"route53", "us-gov-east-1", "https://route53.us-gov.amazonaws.com", "us-gov-west-1"},
	} {
		a := &awsAccount{config: aws.Config{Region: c.region}}
		if url, signed := a.endpoint(c.service); url != c.url || signed != c.signed {
			t.Errorf("%s in %s: %s for %s, want %s for %s", c.service, c.region, url, signed, c.url, c.signed)
		}
	}
	t.Setenv("AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2", "http://balancing.example")
	t.Setenv("AWS_ENDPOINT_URL_CLOUDWATCH", "http://watch.example")
	a := &awsAccount{config: aws.Config{Region: "eu-west-1", BaseEndpoint: aws.String("http://all.example")}}
	for service, want := range map[string]string{"elasticloadbalancing": "http://balancing.example", "monitoring": "http://watch.example", "logs": "http://all.example"} {
		if url, signed := a.endpoint(service); url != want || signed != "eu-west-1" {
			t.Errorf("%s: %s for %s, want %s", service, url, signed, want)
		}
	}
}
