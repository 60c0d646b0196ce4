package eksauth

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// accessEntry is the part of an EKS access entry that names a Kubernetes user.
type accessEntry struct {
	PrincipalARN     string   `json:"principalArn"`
	KubernetesGroups []string `json:"kubernetesGroups"`
	Username         string   `json:"username"`
}

// accessEntries reads the access entries of one cluster from the EKS API.
type accessEntries struct {
	cluster, region string
	endpoint        *url.URL
	client          *http.Client
}

func newAccessEntries(cluster, region string, endpoint *url.URL) accessEntries {
	return accessEntries{
		cluster: cluster, region: region, endpoint: endpoint,
		// No proxy: the endpoint is local whatever the environment says.
		client: &http.Client{Transport: &http.Transport{}, Timeout: 10 * time.Second},
	}
}

// describe calls DescribeAccessEntry. A principal without an entry is rejected:
// on EKS an IAM identity means nothing to the cluster until it is given one.
func (a accessEntries) describe(ctx context.Context, principalARN string) (*accessEntry, error) {
	// JoinPath keeps the escaped slash of the ARN, which is one path segment.
	address := a.endpoint.JoinPath("clusters", url.PathEscape(a.cluster), "access-entries", url.QueryEscape(principalARN))
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return nil, err
	}
	// The emulator reads only the service and the region of this; nothing is signed.
	request.Header.Set("Authorization", fmt.Sprintf(
		"AWS4-HMAC-SHA256 Credential=test/%s/%s/eks/aws4_request, SignedHeaders=host, Signature=0",
		time.Now().UTC().Format("20060102"), a.region))
	response, err := a.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("DescribeAccessEntry of %s: %w", principalARN, err)
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return nil, rejection{fmt.Sprintf("no access entry for %s in cluster %s", principalARN, a.cluster)}
	default:
		return nil, fmt.Errorf("DescribeAccessEntry of %s: %s", principalARN, response.Status)
	}
	var body struct {
		AccessEntry *accessEntry `json:"accessEntry"`
	}
	if err := json.NewDecoder(response.Body).Decode(&body); err != nil {
		return nil, fmt.Errorf("DescribeAccessEntry of %s: %w", principalARN, err)
	}
	if body.AccessEntry == nil || body.AccessEntry.PrincipalARN != principalARN {
		return nil, fmt.Errorf("DescribeAccessEntry of %s: the answer is about another principal", principalARN)
	}
	return body.AccessEntry, nil
}
