# src/embed/kernels_*.c are compiled for the processors they are named after; src/embed/kernels_choose.c picks at run time. Products and sums may fuse in them, and
# vector types as arguments are inlined away (-Wno-psabi).
set(kernels ${PROJECT_SOURCE_DIR}/src/embed/kernels_)
set(avx512 -mfma -mf16c -mavx512f -mavx512bw -mavx512dq -mavx512vl)
set_source_files_properties(${PROJECT_SOURCE_DIR}/src/embed/matrix.c PROPERTIES COMPILE_OPTIONS -O3) # packing is what opening takes
set(vectors -O3 -ffp-contract=fast -Wno-psabi)
if(QA_SANITIZE OR QA_FUZZ)
  list(APPEND vectors -O1 $<$<C_COMPILER_ID:GNU>:-fno-var-tracking-assignments>) # unrolled code with checks takes minutes to optimise
endif()
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set_source_files_properties(${kernels}avx2.c PROPERTIES COMPILE_OPTIONS "${vectors};-mavx2;-mfma;-mf16c")
  set_source_files_properties(${kernels}avx512.c PROPERTIES COMPILE_OPTIONS "${vectors};${avx512}")
  set_source_files_properties(${kernels}vnni.c PROPERTIES COMPILE_OPTIONS "${vectors};${avx512};-mavx512vnni")
  set_source_files_properties(${kernels}bf16.c PROPERTIES COMPILE_OPTIONS "${vectors};${avx512};-mavx512vnni;-mavx512bf16")
else()
  list(REMOVE_ITEM sources ${kernels}avx2.c ${kernels}avx512.c ${kernels}vnni.c ${kernels}bf16.c)
endif()
