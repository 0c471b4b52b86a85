# hepml::lwtnn: the classes and headers of lwtnn on hepml's evaluator. Only the headers in lwtnn/generic need Eigen,
# which their users bring along.
add_library(hepml_lwtnn STATIC
  src/lwtnn/engine.cpp
  src/lwtnn/exceptions.cpp
  src/lwtnn/graph.cpp
  src/lwtnn/maps.cpp
  src/lwtnn/nan_replacer.cpp
  src/lwtnn/neural_network.cpp
  src/lwtnn/parse_json.cpp
  src/lwtnn/streamers.cpp
  src/lwtnn/value.cpp
)
add_library(hepml::lwtnn ALIAS hepml_lwtnn)
set_target_properties(hepml_lwtnn PROPERTIES EXPORT_NAME lwtnn)
find_package(Threads REQUIRED)
target_link_libraries(hepml_lwtnn PUBLIC hepml Threads::Threads)
target_include_directories(hepml_lwtnn PRIVATE src)
target_compile_options(hepml_lwtnn PRIVATE -Wall -Wextra -Wconversion)
install(TARGETS hepml_lwtnn EXPORT hepmlTargets ARCHIVE DESTINATION ${HEPML_INSTALL_LIB}
        INCLUDES DESTINATION ${HEPML_INSTALL_INCLUDE})
install(DIRECTORY include/lwtnn DESTINATION ${HEPML_INSTALL_INCLUDE})
