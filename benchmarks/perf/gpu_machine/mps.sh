# Sourced: NVIDIA's MPS, with which several processes use one GPU at once, where the machine has it.
export CUDA_MPS_PIPE_DIRECTORY=/tmp/mps CUDA_MPS_LOG_DIRECTORY=/tmp/mps-log
PATH=$PATH:/usr/local/nvidia/bin:/usr/local/cuda/bin
mkdir -p /tmp/mps /tmp/mps-log
if ! command -v nvidia-cuda-mps-control > /dev/null; then
    echo "no MPS here: processes take turns on the GPU"
    unset CUDA_MPS_PIPE_DIRECTORY CUDA_MPS_LOG_DIRECTORY
elif ! pgrep -f nvidia-cuda-mps-control > /dev/null; then
    setsid nvidia-cuda-mps-control -d || echo "MPS does not start: processes take turns on the GPU"
fi
