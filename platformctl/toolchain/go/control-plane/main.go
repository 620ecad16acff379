// Command kube-control-plane is etcd and the three programs of a Kubernetes control plane in one binary.
//
// The first argument chooses the program; the rest are its own flags, untouched. One binary instead of four because
// they share almost all of their code: one build takes a third of the time and of the disk.
package main

import (
	"fmt"
	"os"
	_ "time/tzdata" // CronJobs may name a time zone on a machine that has no zoneinfo

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/api/v3/version"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"          // --logging-format=json
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // client-go's metrics, as in the upstream programs
	_ "k8s.io/component-base/metrics/prometheus/version"  // kubernetes_build_info
	kubeversion "k8s.io/component-base/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

const usage = "usage: kube-control-plane etcd|kube-apiserver|kube-controller-manager|kube-scheduler [FLAGS]\n" +
	"       kube-control-plane --version"

var kubernetes = map[string]func() *cobra.Command{
	"kube-apiserver":          apiserver.NewAPIServerCommand,
	"kube-controller-manager": controllermanager.NewControllerManagerCommand,
	"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
	program := os.Args[1]
	// The programs read os.Args themselves: they must see what they would see had they been started under their name.
	os.Args = append([]string{program}, os.Args[2:]...)
	if program == "etcd" {
		etcdmain.Main(os.Args)
		return
	}
	if program == "--version" {
		fmt.Printf("kube-control-plane %s etcd v%s\n", kubeversion.Get().GitVersion, version.Version)
		return
	}
	command, known := kubernetes[program]
	if !known {
		fmt.Fprintf(os.Stderr, "unknown program %q\n%s\n", program, usage)
		os.Exit(2)
	}
	os.Exit(cli.Run(command()))
}
