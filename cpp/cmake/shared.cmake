# hepml::shared: libhepml.so of the same objects, which shows the public headers and nothing else.
add_library(hepml_shared SHARED $<TARGET_OBJECTS:hepml>)
add_library(hepml::shared ALIAS hepml_shared)
target_include_directories(hepml_shared PUBLIC $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include>)
target_compile_features(hepml_shared PUBLIC cxx_std_17)
set_target_properties(hepml_shared PROPERTIES OUTPUT_NAME hepml EXPORT_NAME shared LINKER_LANGUAGE CXX)
# Before 1.0 a minor version may change the interface. A wheel cannot hold the links of a versioned name.
if(NOT HEPML_PYTHON)
  set_target_properties(hepml_shared PROPERTIES VERSION ${PROJECT_VERSION}
                        SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
endif()
if(UNIX AND NOT APPLE)
  set(HEPML_SYMBOLS ${CMAKE_CURRENT_SOURCE_DIR}/cmake/hepml.map)
  target_link_options(hepml_shared PRIVATE -Wl,--version-script=${HEPML_SYMBOLS})
  if(NOT HEPML_SANITIZE)  # clang leaves the sanitizers' own symbols to the program
    target_link_options(hepml_shared PRIVATE -Wl,--no-undefined)
  endif()
  set_target_properties(hepml_shared PROPERTIES LINK_DEPENDS ${HEPML_SYMBOLS})
endif()
install(TARGETS hepml_shared EXPORT hepmlTargets LIBRARY DESTINATION ${HEPML_INSTALL_LIB}
        INCLUDES DESTINATION ${HEPML_INSTALL_INCLUDE})
