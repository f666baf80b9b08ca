# for other kernels only
