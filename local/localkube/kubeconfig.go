package main

import (
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// kubeconfigs are the paths of the files with which clients find the cluster.
type kubeconfigs struct {
	admin, controllerManager, scheduler string
}

// writeKubeconfigs writes them anew at every start: the port may have changed.
func writeKubeconfigs(dir, server string, pki *pki) (kubeconfigs, error) {
	paths := kubeconfigs{
		admin:             filepath.Join(dir, "admin.kubeconfig"),
		controllerManager: filepath.Join(dir, "controller-manager.kubeconfig"),
		scheduler:         filepath.Join(dir, "scheduler.kubeconfig"),
	}
	cluster := &clientcmdapi.Cluster{Server: server, CertificateAuthority: pki.ca.cert}
	for path, user := range map[string]keyPair{
		paths.admin:             pki.admin,
		paths.controllerManager: pki.controllerManager,
		paths.scheduler:         pki.scheduler,
	} {
		certificate := &clientcmdapi.AuthInfo{ClientCertificate: user.cert, ClientKey: user.key}
		if err := writeKubeconfig(path, cluster, certificate); err != nil {
			return kubeconfigs{}, err
		}
	}
	return paths, nil
}

// writeWebhookKubeconfig tells the API server where the token webhook is. The
// webhook asks for no credentials: who holds a token may learn whose it is.
func writeWebhookKubeconfig(path, url string) error {
	return writeKubeconfig(path, &clientcmdapi.Cluster{Server: url}, &clientcmdapi.AuthInfo{})
}

func writeKubeconfig(path string, cluster *clientcmdapi.Cluster, user *clientcmdapi.AuthInfo) error {
	const name = "localkube"
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = cluster
	config.AuthInfos[name] = user
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	config.CurrentContext = name
	return clientcmd.WriteToFile(*config, path)
}
